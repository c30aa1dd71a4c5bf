"""End a program when the process that started it dies, even by SIGKILL."""

import signal
import subprocess

# Linux's PR_SET_PDEATHSIG would do it in one call, but it fires when the *thread* that forked
# ends, and needs a preexec_fn, which may deadlock in a process with threads. A pipe closes exactly
# when its last owner is gone, and not only on Linux.
_SCRIPT = """
read -r _
kill -s "$1" "$2" || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$2" || break; sleep 0.5; done
kill -s KILL -- "-$2"
"""


class Watcher:
    """A shell that waits for the end of its standard input, then ends process group `pid`.

    First the program alone gets `stop_signal`, 5 seconds later its whole group SIGKILL. A child
    that this process forks without exec owns the pipe too: then the watcher waits for that as well.
    """

    def __init__(self, pid: int, stop_signal: signal.Signals) -> None:
        signal_name = stop_signal.name.removeprefix("SIG")
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "watcher", signal_name, str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End the watcher; harmless when it has ended."""
        self._shell.kill()  # before its input closes, which would be the alarm
        self._shell.wait()
        if self._shell.stdin:
            self._shell.stdin.close()
