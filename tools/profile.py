"""Counts what QEMU executes while tools/bench measures a model on a board.

usage: profile.py BENCH TOOLCHAIN MODEL BOARD

BENCH is the program, TOOLCHAIN the folder of llvm-nm, llvm-objdump and swift-demangle. Programs named like QEMU's, first
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

EMULATORS = ["qemu-system-arm", "qemu-system-riscv32", "qemu-system-aarch64"]
TOP = 40
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
    """Where the blocks are that are translated, and how often each is executed."""

    def __init__(self):
        self.ends = {}
        self.executions = collections.Counter()
        self.start = self.end = None

    def read(self, line):
        if line.startswith("Trace"):
            self.end_block()
            _, address, _, flags = line[line.index("[") + 1 : line.index("]")].split("/")
            self.executions[int(address, 16), int(flags, 16) & COUNT_MASK] += 1
        elif line.startswith("0x"):
            # What QEMU's disassembler makes of it does not matter: it does not know MVE.
            address, code = re.match(r"(0x[0-9a-f]+): ((?: [0-9a-f]{4,8}\b)+)", line).groups()
            if self.start is None:
                self.start = int(address, 16)
            self.end = int(address, 16) + len(code.replace(" ", "")) // 2
        elif line.startswith("IN:"):
            self.end_block()

    def end_block(self):
        """Of one address the longest block counts; shorter ones are the same block cut off."""
        if self.start is not None:
            self.ends[self.start] = max(self.end, self.ends.get(self.start, 0))
        self.start = self.end = None

    def blocks(self, instructions):
        """Address, mnemonics and executions of each block, cut off where it was."""
        addresses = [address for address, _ in instructions]
        for (start, limit), count in self.executions.items():
            first = bisect.bisect_left(addresses, start)
            last = bisect.bisect_left(addresses, self.ends.get(start, start))
            names = [name for _, name in instructions[first:last]]
            yield start, names[: limit or None], count


def emulate(bench, model, board):
    """The log, the row of tools/bench, and the firmware's functions and instructions by address."""
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
        firmware = os.path.join(folder, "firmware")
        return log, rows[0], functions(firmware), instructions(firmware)


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


def instructions(firmware):
    with open(firmware, "rb") as file:
        is_arm = file.read(20)[18] == 40
    program = [f"{toolchain}/llvm-objdump", "-d", "--no-show-raw-insn"] + ["--mattr=+mve"] * is_arm
    text = subprocess.run(program + [firmware], capture_output=True, text=True, check=True).stdout
    return [(int(a, 16), name) for a, name in re.findall(r"^ *([0-9a-f]+):\s+(\S+)", text, re.MULTILINE)]


def demangled(names):
    program = [f"{toolchain}/swift-demangle", "--compact", "--simplified"]
    result = subprocess.run(program, input="\n".join(names), capture_output=True, text=True, check=True)
    return dict(zip(names, result.stdout.splitlines()))


def print_table(title, counter, total):
    print(f"\n{'instructions':>13}  {'share':>6}  {title}")
    for name, count in counter.most_common(TOP):
        print(f"{count:>13,}  {100 * count / total:>4.1f} %  {name}")


def main(bench, model, board):
    log, row, names, code = emulate(bench, model, board)
    starts = [start for start, _ in names]
    by_function, by_mnemonic, by_block = (collections.Counter() for _ in range(3))
    for address, block, count in log.blocks(code):
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
