// The whole of `pmx`: from what was typed to an exit code.
#pragma once

namespace pmx::cli {

// 0 when all went well, else 1. `daemon` and `run` answer what they run answers.
int run_program(int argc, char** argv);

}  // namespace pmx::cli
