# One target per parser and engine; each replays its seeds in make check, more of them with LONG=yes.
