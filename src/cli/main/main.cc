#include "cli/app.h"

int main(int argc, char** argv) { return messina::cli::run(argc, argv); }
