"""The inbox's web page."""

from datetime import datetime
from html import escape
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers.caught import CaughtMessage, Store

SHOWN = 50

# A frame made from srcdoc inherits this: a caught mail runs no script and fetches nothing, and
# inline styles are allowed because mails are made of them.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #fff; --ink: #1c2330; --soft: #626c7c;
  --line: #dfe3e8; --accent: #2458c5; }
@media (prefers-color-scheme: dark) { :root { --page: #12151b; --card: #1b2029; --ink: #e6e9ef;
  --soft: #98a2b3; --line: #2d3542; --accent: #8ab0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
body > header { display: flex; gap: 1rem; align-items: baseline; justify-content: space-between; }
h1 { margin: 0; font-size: 1.5rem; }
a { color: var(--accent); }
p, time, dt { color: var(--soft); }
article { margin: 1rem 0; border: 1px solid var(--line); border-radius: .6rem;
  background: var(--card); overflow: hidden; }
article > header { padding: .9rem 1.1rem; }
article > header > div { display: flex; flex-wrap: wrap; gap: 0 1rem;
  justify-content: space-between; align-items: baseline; }
h2 { margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }
dl { margin: .2rem 0 0; display: grid; grid-template-columns: max-content 1fr; gap: 0 .7rem;
  font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
section { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr));
  gap: 1px; background: var(--line); border-top: 1px solid var(--line); }
pre { margin: 0; padding: .9rem 1.1rem; max-height: 22rem; overflow: auto; background: var(--card);
  white-space: pre-wrap; overflow-wrap: anywhere; font: .85rem/1.5 ui-monospace, monospace; }
iframe { display: block; width: 100%; height: 22rem; border: 0; background: #fff;
  color-scheme: light; }
.empty { padding: 4rem 1rem; text-align: center; border: 1px dashed var(--line);
  border-radius: .6rem; }
"""


def render_page(messages: "Store", smtp_port: int) -> str:
    """Render the newest SHOWN messages as a page that reloads itself every 2 seconds."""
    shown = "".join(_article(each) for each in islice(reversed(messages), SHOWN))
    count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
    if len(messages) > SHOWN:
        count += f", the newest {SHOWN} below"
    empty = f'<p class="empty">No mail yet. Send some to 127.0.0.1, port {smtp_port}.</p>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>Inbox ({len(messages)})</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>Inbox</h1><p>{count} · <a href="/messages.json">JSON</a></p></header>
<main>{shown or empty}</main>
</body>
</html>
"""


def _article(message: "CaughtMessage") -> str:
    received = datetime.fromisoformat(message["received"])
    return f"""
<article>
<header>
<div><h2>{escape(message["subject"] or "(no subject)")}</h2>
<time datetime="{escape(message["received"])}">{received:%d %b %Y, %H:%M:%S} UTC</time></div>
<dl><dt>To</dt><dd>{escape(", ".join(message["to"]))}</dd>
<dt>From</dt><dd>{escape(message["from"] or "(empty: a bounce)")}</dd></dl>
</header>
<section>{_bodies(message)}</section>
</article>"""


def _bodies(message: "CaughtMessage") -> str:
    text, html = message["text"], message["html"]
    shown = f"<pre>{escape(text)}</pre>" if text or not html else ""
    if html:
        # The empty sandbox forbids scripts, forms, pop-ups and the page's own origin.
        frame = '<iframe sandbox title="HTML body" loading="lazy" srcdoc="{}"></iframe>'
        shown += frame.format(escape(html))
    return shown
