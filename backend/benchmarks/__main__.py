"""`python -m benchmarks`: measures, shows, writes. A missed target is no failure of the run."""

import resource
import signal
import sys

from app.core.embedded import EmbeddedError
from benchmarks import report
from benchmarks.bench import open_bench
from benchmarks.machine import facts
from benchmarks.options import parse
from benchmarks.service import BenchmarkError
from benchmarks.suite import run_size


def main() -> int:
    """0 when everything was measured, 1 when something stood in the way, 130 on Ctrl-C."""
    options = parse()
    # Being told to stop unwinds like Ctrl-C: everything that was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Watchers are open files, of the service and of its callers: children inherit the bound.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        machine = facts()
        with open_bench(options) as bench:
            try:
                for players in options.players:
                    run_size(
                        bench,
                        players,
                        smallest=players == options.players[0],
                        largest=players == options.players[-1],
                    )
            finally:
                # Also when a later measure failed: what was found took minutes to find.
                report.show(bench, machine)
                report.write(bench, machine, options.json)
    except (BenchmarkError, EmbeddedError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
