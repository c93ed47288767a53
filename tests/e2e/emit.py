"""Copies a file to its standard output in writes of a size: emit.py <file> <bytes> [pause in s]."""
import os
import sys
import time

with open(sys.argv[1], "rb") as file:
    data = file.read()
step = int(sys.argv[2])
for at in range(0, len(data), step):
    piece = data[at:at + step]
    while piece:
        piece = piece[os.write(1, piece):]
    if len(sys.argv) > 3:
        time.sleep(float(sys.argv[3]))
