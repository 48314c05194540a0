"""The table of pages: every page is one line here. Order is that of the navigation."""

from ui.page import Page
from ui.pages import dead_letters, message, messages, overview, queue, sandbox, send

PAGES: tuple[Page, ...] = (
    Page(
        "/", "Overview", "layout-dashboard", "", "workspace.view", overview.build, keywords="home dashboard"
    ),
    Page("/queue", "Queue", "list", "", "queues.view", queue.build, count="waiting", keywords="lanes pause"),
    Page(
        "/dead-letters",
        "Dead letters",
        "mail-x",
        "",
        "dead_letters.view",
        dead_letters.build,
        count="open_letters",
        keywords="dlq failed redrive discard errors",
    ),
    Page(
        "/messages",
        "Messages",
        "message-square",
        "",
        "messages.view",
        messages.build,
        keywords="sent received attempts",
    ),
    Page("/messages/{message_id}", "Message", "message-square", None, "messages.view", message.build),
    Page("/send", "Send", "send", "", "messages.send", send.build, keywords="new message template text try"),
    Page(
        "/sandbox",
        "Sandbox",
        "flask-conical",
        "Demo",
        "settings.manage",
        sandbox.build,
        demo_only=True,
        keywords="faults magic numbers meta customer",
    ),
)
