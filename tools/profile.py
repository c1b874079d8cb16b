"""Counts what QEMU executes while tools/bench measures a model on a board.

usage: profile.py BENCH TOOLCHAIN MODEL BOARD

BENCH is the program, TOOLCHAIN the folder of llvm-nm and swift-demangle. Programs named like QEMU's, first
in PATH, call QEMU with a log of translated and executed blocks, which goes through a pipe.
"""

import bisect
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

EMULATORS = ["qemu-system-arm", "qemu-system-riscv32"]
TOP = 16
# The field of a block's flags that says how many instructions QEMU executes of it; 0 for all.
COUNT_MASK = 0x1FF

SHIM = """#!/bin/bash
before=
for argument in "$@"; do
  [[ $before == -kernel ]] && cp "$argument" {folder}/firmware
  before=$argument
done
exec {program} "$@" -d in_asm,exec,nochain -D {folder}/log
"""


class Log:
    """Blocks as they are translated, and how often each is executed."""

    def __init__(self):
        self.mnemonics = {}
        self.executions = collections.Counter()
        self.start = None
        self.block = []

    def read(self, line):
        if line.startswith("Trace"):
            self.end_block()
            _, address, _, flags = line[line.index("[") + 1 : line.index("]")].split("/")
            self.executions[int(address, 16), int(flags, 16) & COUNT_MASK] += 1
        elif line.startswith("0x"):
            address, text = line.split(":", 1)
            if self.start is None:
                self.start = int(address, 16)
            name = re.search(r"(?:\b[0-9a-f]{4,8}\s+)+([a-z.][a-z0-9.]*)", text)
            self.block.append(name.group(1) if name else "unknown")
        elif line.startswith("IN:"):
            self.end_block()

    def end_block(self):
        """Of one address the longest block counts; shorter ones are the same block cut off."""
        if self.start is not None and len(self.block) > len(self.mnemonics.get(self.start, [])):
            self.mnemonics[self.start] = self.block
        self.start, self.block = None, []

    def blocks(self):
        """Address, mnemonics and executions of each block, cut off where it was."""
        for (address, limit), count in self.executions.items():
            names = self.mnemonics.get(address, [])
            yield address, names[: limit or None], count


def emulate(bench, model, board):
    """The log, the row of tools/bench, and the names of functions by address."""
    log = Log()
    with tempfile.TemporaryDirectory() as folder:
        for name in EMULATORS:
            program = shutil.which(name)
            if program:
                shim = os.path.join(folder, name)
                with open(shim, "w") as file:
                    file.write(SHIM.format(folder=folder, program=program))
                os.chmod(shim, 0o755)
        os.mkfifo(os.path.join(folder, "log"))
        pipe = os.open(os.path.join(folder, "log"), os.O_RDONLY | os.O_NONBLOCK)
        environment = os.environ | {"PATH": folder + os.pathsep + os.environ["PATH"]}
        process = subprocess.Popen(
            [bench, "measure", "--board", board, "--model", model, "--json"],
            stdout=subprocess.PIPE, text=True, env=environment,
        )
        read_all(pipe, process, log)
        rows = json.loads(process.communicate()[0] or "[]")
        if process.returncode != 0 or not rows or rows[0]["instructions"] is None:
            sys.exit(f"{model} was not measured on {board}")
        return log, rows[0], functions(os.path.join(folder, "firmware"))


def read_all(pipe, process, log):
    rest = b""
    while True:
        has_ended = process.poll() is not None
        try:
            data = os.read(pipe, 1 << 20)
        except BlockingIOError:
            data = b""
        if data:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                log.read(line.decode(errors="replace"))
        elif has_ended:
            return
        else:
            time.sleep(0.005)


def functions(firmware):
    nm = subprocess.run([f"{toolchain}/llvm-nm", "-n", firmware], capture_output=True, text=True, check=True)
    rows = [line.split() for line in nm.stdout.splitlines()]
    return sorted((int(row[0], 16) & ~1, row[2]) for row in rows if len(row) == 3 and row[1] in "tTW")


def demangled(names):
    program = [f"{toolchain}/swift-demangle", "--compact", "--simplified"]
    result = subprocess.run(program, input="\n".join(names), capture_output=True, text=True, check=True)
    return dict(zip(names, result.stdout.splitlines()))


def print_table(title, counter, total):
    print(f"\n{'instructions':>13}  {'share':>6}  {title}")
    for name, count in counter.most_common(TOP):
        print(f"{count:>13,}  {100 * count / total:>4.1f} %  {name}")


def main(bench, model, board):
    log, row, names = emulate(bench, model, board)
    starts = [start for start, _ in names]
    by_function, by_mnemonic, by_block = (collections.Counter() for _ in range(3))
    for address, block, count in log.blocks():
        function = names[max(bisect.bisect_right(starts, address) - 1, 0)][1]
        by_function[function] += count * len(block)
        by_block[address, function] += count * len(block)
        for mnemonic in block:
            by_mnemonic[mnemonic] += count
    total = sum(by_function.values())
    readable = demangled(list(by_function))
    print(f"{model} on {board}: {row['instructions']:,} instructions a run, {row['macs']:,} MACs")
    print(f"{total:,} executed in all: start, opening, run, console")
    print_table("function", sums(by_function, readable), total)
    print_table("instruction", by_mnemonic, total)
    print_table("block", sums(by_block, {key: f"{key[0]:#x} {readable[key[1]]}" for key in by_block}), total)


def sums(counter, names):
    """Counts of what has the same name together."""
    result = collections.Counter()
    for key, count in counter.items():
        result[names[key]] += count
    return result


if __name__ == "__main__":
    toolchain = sys.argv[2]
    main(sys.argv[1], *sys.argv[3:5])
