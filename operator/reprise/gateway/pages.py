"""Continue tokens that tell nothing.

The API server's own token is readable and names the next object, hidden ones included, so agents get it
sealed. The key lives as long as the process: after a restart a client lists again, as with any expired token.
"""

import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from reprise.domain import errors


class Sealer:
    def __init__(self) -> None:
        self._box = Fernet(Fernet.generate_key())

    def seal(self, token: str, attempt_uid: str, path: str, selectors: Sequence[str]) -> str:
        return self._box.encrypt(json.dumps([token, attempt_uid, path, *selectors]).encode()).decode()

    def open(self, sealed: str, attempt_uid: str, path: str, selectors: Sequence[str]) -> str:
        """The API server's token. Raises InvalidInput when it was made for something else, or by nobody."""
        try:
            token, *rest = json.loads(self._box.decrypt(sealed.encode()))
        except (InvalidToken, ValueError) as exc:
            raise errors.InvalidInput("the provided continue parameter is too old; list again") from exc
        if rest != [attempt_uid, path, *selectors]:
            raise errors.InvalidInput("the continue parameter belongs to another list")
        return str(token)
