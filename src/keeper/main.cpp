#include "keeper/command_line.h"

int main(int argc, char** argv) { return pmx::keeper::keeper_main(argc, argv); }
