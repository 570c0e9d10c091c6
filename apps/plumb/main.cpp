#include <cstring>

#include "text/chat_template.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "template-worker") == 0)
    return plumb::run_template_worker();
  return 0;
}
