#pragma once
// The subcommands. Each is one file that reads its options and calls the library; main.cpp holds
// the list.

#include <string>
#include <vector>

namespace plumb {

// What follows the command's name on the command line -> exit code. Errors are thrown.
using CommandFunction = int(std::vector<std::string> words);

CommandFunction run_command, chat_command, tokenize_command, detokenize_command, template_command,
    logits_command, info_command, plan_command, check_command, ppl_command, profile_command,
    probe_command, bench_command, shapes_command, compare_command;

}  // namespace plumb
