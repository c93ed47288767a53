// Keeps the library from being empty before the first fake is written.
