"""Where images come from: paths, folders, lists and standard input; and their decoding."""
