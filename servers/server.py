"""What every local server can do: stop, be killed, come back."""

from typing import Self

from servers.process import Process


class Server:
    """A program that listens. A subclass sets `process` and says when it answers."""

    process: Process
    start_limit_s = 30.0

    def stop(self) -> None:
        """Shut down in an orderly way; `restart` brings it back on the same ports."""
        self.process.stop()

    def kill(self) -> None:
        """End it by SIGKILL, with all it started."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it if it runs, start it again and wait until it answers."""
        self.process.restart()
        self._wait_until_ready()

    def close(self) -> None:
        """End it for good; harmless when repeated."""
        self.stop()

    def _answers(self) -> bool:
        raise NotImplementedError

    def _wait_until_ready(self) -> None:
        try:
            self.process.wait_until_ready(self._answers, timeout_s=self.start_limit_s)
        except BaseException:
            self.process.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
