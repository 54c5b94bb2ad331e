"""Scripts that write the files of tests/peers/files, each with the tool it is named after."""
