# Text scripts (client says, server says, time passes) run over paired streams and a set clock.
# The runner is a program of check_PROGRAMS and TESTS; its scripts belong in EXTRA_DIST.
