"""A function in a thread of its own that alternates strictly with its caller."""

from __future__ import annotations

from collections.abc import Callable
from threading import Semaphore, Thread


class Stopped(BaseException):
    """Ends the function from within, where its caller needs it no more; handlers of errors let it pass."""


class Turns:
    """Runs a function in parts: either it or its caller runs, never both.

    Args:
        function: Calls `pause` of this object between its parts.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._theirs, self._ours = Semaphore(0), Semaphore(0)
        self._thread: Thread | None = None
        self._stopped = False
        self._error: BaseException | None = None
        self.over = False
        """True once the function has returned or raised."""

    def resume(self) -> None:
        """Let the function run to its next pause, or to its end.

        Raises:
            BaseException: the function raised it.
        """
        if self._thread is None:
            self._thread = Thread(target=self._run, name="fit", daemon=True)
            self._thread.start()
        elif not self.over:
            self._theirs.release()
        else:
            return
        try:
            self._ours.acquire()
        except BaseException:
            self._stopped = True
            raise
        error, self._error = self._error, None
        if error is not None:
            raise error

    def pause(self) -> None:
        """Give the turn back and wait for the next; the function calls this.

        Raises:
            Stopped: there is no next turn.
        """
        self._ours.release()
        self._theirs.acquire()
        self.check()

    def check(self) -> None:
        """Raise Stopped if the function is to end."""
        if self._stopped:
            raise Stopped

    def stop(self) -> None:
        """End the function at its pause, or at its next `check`; from any thread."""
        self._stopped = True
        self._theirs.release()

    def end(self) -> None:
        """Stop the function and wait for its end; its caller calls this."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._function()
        except Stopped:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self.over = True
            self._ours.release()
