#include "cli/program.h"

int main(int argc, char** argv) { return pmx::cli::run_program(argc, argv); }
