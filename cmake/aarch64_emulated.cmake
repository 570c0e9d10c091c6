# AArch64 on another machine: Debian's cross compiler, and programs that run in qemu's user-mode emulation (static ones, so that
# nothing has to be installed for them but the compiler's own libraries).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -Wl,--no-warnings")  # googletest looks up hosts
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
