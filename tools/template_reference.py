"""Chat templates rendered twice: by Python's jinja2 as Hugging Face's transformers sets it up (the reference), and by plumb's
template worker. Used by make_template_expectations.py and compare_templates.py; not a script itself.

Needs: jinja2 >= 3.1.6 and transformers 5.x (its tokenizers are not used, only its template environment).
"""

import datetime
import functools
import struct
import subprocess

from transformers.utils import chat_template_utils

# What strftime_now tells everywhere in the tests: a date whose day, month and hour need padding.
NOW = datetime.datetime(2024, 7, 6, 4, 5, 9)


@functools.lru_cache(maxsize=4096)
def compile_template(source):
    template = chat_template_utils._compile_jinja_template(source)
    template.globals["strftime_now"] = NOW.strftime
    return template


def reference(source, context):
    """{"text": ...} or {"error": message, "kind": exception}."""
    try:
        return {"text": compile_template(source).render(**context)}
    except Exception as e:  # whatever a template can raise is its result
        return {"error": str(e), "kind": type(e).__name__}


def msgpack(value):
    """The part of MessagePack that JSON values need, always in the widest form."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return b"\xdb" + struct.pack(">I", len(data)) + data
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(msgpack, value))
    if isinstance(value, dict):
        pairs = b"".join(msgpack(k) + msgpack(v) for k, v in value.items())
        return b"\xdf" + struct.pack(">I", len(value)) + pairs
    raise TypeError(type(value))


class Worker:
    """`plumb template-worker`, spoken to as src/text/template_protocol.h says. It ends itself when it must; then a new one starts."""

    MAGIC = 0x314A5450
    MEMORY = 512 << 20

    def __init__(self, program):
        self.program = program
        self.process = None

    def render(self, source, context):
        if self.process is None:
            self.process = subprocess.Popen(
                [self.program, "template-worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        source, context = source.encode(), msgpack(context)
        t = NOW.timetuple()
        now = (t.tm_sec, t.tm_min, t.tm_hour, t.tm_mday, t.tm_mon - 1, t.tm_year - 1900, (t.tm_wday + 1) % 7, t.tm_yday - 1)
        header = struct.pack(
            "<II8iqqqqqq", self.MAGIC, 1, *now, len(source), len(context), self.MEMORY - (128 << 20), self.MEMORY, 3, 32 << 20
        )
        try:
            self.process.stdin.write(header + source + context)
            self.process.stdin.flush()
            magic, status, line, size, is_last = struct.unpack("<Iiqqq", self.process.stdout.read(32))
            text = self.process.stdout.read(size).decode()
        except (struct.error, BrokenPipeError):
            code = self.process.wait()
            self.process = None
            return {"error": f"the worker ended with {code}", "kind": "died"}
        assert magic == self.MAGIC
        if is_last:
            self.process.wait()
            self.process = None
        return {"text": text} if status == 0 else {"error": text, "line": line}
