"""Share with a person: SMART Health Links and SMART Health Cards, and QR codes of both.

In: files to share, a link that somebody showed, a card. Out: a link with files encrypted behind it, the files again,
the card's verified claims.

    link = store.share([fhir_file(text)], Terms(passcode="7351"), now=now)
    opened = open_link(link.to_uri(), recipient="Dr. Adams", passcode="7351", now=now)
    [card] = verify_cards("shc:/5676…", trust, now=now)

`sharing.links` holds links, their store, their server's routes and their client; `sharing.cards` holds cards. It needs
the extra `node`.
"""

from importlib.util import find_spec

from chartseal.errors import MissingExtraError

for _name in ("fastapi", "httpx", "joserfc", "segno", "sqlalchemy"):
    if find_spec(_name) is None:
        raise MissingExtraError(f"{_name} is not installed: pip install 'chartseal[node]'")

__all__ = ["cards", "links", "qr"]
