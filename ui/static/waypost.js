// What the frame does in the browser: theme, navigation, palette, keys, times that go on counting, freshness.
(() => {
  "use strict";
  const QUIET_MS = 10_000; // longer without a word from the server: updates have stopped
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const root = document.documentElement;
  let skew = 0; // the server's clock minus ours
  let heardAt = Date.now();

  // ---- times ----
  function span(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  }
  function relative(at) {
    const seconds = (Date.now() + skew - Date.parse(at)) / 1000;
    if (Math.abs(seconds) < 2) return "just now";
    return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
  }
  function tick() {
    if (document.hidden) return;
    for (const time of $$("time[data-relative]")) {
      const now = relative(time.dateTime);
      if (time.firstChild && time.firstChild.nodeType === 3) {
        if (time.firstChild.data !== now) time.firstChild.data = now;
      } else time.textContent = now;
    }
    const quiet = Date.now() - heardAt;
    const hasStopped = quiet > QUIET_MS;
    for (const mark of $$("[data-fresh]")) {
      const words = hasStopped ? `Updates stopped ${span(quiet / 1000)} ago` : quiet < 4000 ? "Live" : `Updated ${span(quiet / 1000)} ago`;
      if (mark.textContent !== words) mark.textContent = words;
      mark.classList.toggle("stopped", hasStopped);
    }
  }

  // ---- theme ----
  function isDark() {
    return root.classList.contains("dark");
  }
  function showTheme(dark) {
    root.classList.toggle("dark", dark);
    if (window.Quasar) window.Quasar.Dark.set(dark); // its own parts: menus, dialogs, fields
    for (const button of $$("[data-theme-toggle]")) button.setAttribute("aria-pressed", String(dark));
  }
  function toggleTheme() {
    const dark = !isDark();
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `waypost_theme=${dark ? "dark" : "light"}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    showTheme(dark);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (system) => {
    if (!document.cookie.includes("waypost_theme=")) showTheme(system.matches);
  });

  // ---- navigation on narrow screens ----
  function setNavigation(open) {
    document.body.classList.toggle("navopen", open);
    const button = $("[data-nav-open]");
    if (!button) return;
    button.setAttribute("aria-expanded", String(open));
    if (open) $("#side a[aria-current], #side a")?.focus();
    else if ($("#side").contains(document.activeElement)) button.focus();
  }

  // ---- command palette ----
  let commands = [];
  let hits = [];
  let at = 0;
  function openPalette() {
    const dialog = $("#palette");
    if (!dialog || dialog.open) return;
    commands = JSON.parse($("#commands")?.dataset.commands || "[]");
    commands.push({ label: "Dark or light theme", icon: "sun", act: toggleTheme, words: "mode" });
    commands.push({ label: "Keyboard shortcuts", icon: "keyboard", act: openHelp, key: "?" });
    for (const place of $$("#places button[name=workspace]:not([aria-current])"))
      commands.push({ label: `Switch to ${$(".name", place).textContent}`, icon: "layers", act: () => place.click(), words: "workspace" });
    dialog.showModal();
    const input = $("input", dialog);
    input.value = "";
    input.focus();
    fill("");
  }
  function fill(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const rank = (each) => {
      const label = each.label.toLowerCase();
      if (!words.length || label.startsWith(words[0])) return 0;
      return label.includes(words[0]) ? 1 : 2;
    };
    const found = commands
      .filter((each) => !each.typed && words.every((word) => `go to ${each.label} ${each.words || ""}`.toLowerCase().includes(word)))
      .sort((one, other) => rank(one) - rank(other))
      .slice(0, 12);
    const typed = text.trim();
    const searches = typed ? commands.filter((each) => each.typed) : [];
    hits = [...found, ...searches.map((each) => ({ ...each, label: `${each.label} “${typed}”`, href: each.href + encodeURIComponent(typed) }))];
    at = 0;
    drawHits();
  }
  function drawHits() {
    const list = $("#palette-list");
    list.replaceChildren(
      ...hits.map((each, i) => {
        const line = document.createElement("li");
        line.id = `hit-${i}`;
        line.setAttribute("role", "option");
        line.setAttribute("aria-selected", String(i === at));
        const icon = $("svg.i use")?.getAttribute("href")?.split("#")[0] ?? "";
        line.innerHTML = '<svg class="i" aria-hidden="true"><use></use></svg><span></span>';
        $("use", line).setAttribute("href", `${icon}#${each.icon}`);
        $("span", line).textContent = each.href && !each.typed ? `Go to ${each.label}` : each.label;
        if (each.key) {
          const key = document.createElement("kbd");
          key.textContent = each.key;
          line.append(key);
        }
        line.addEventListener("click", () => choose(i));
        line.addEventListener("mousemove", () => i !== at && ((at = i), mark()));
        return line;
      })
    );
    if (!hits.length) {
      const line = document.createElement("li");
      line.className = "none";
      line.setAttribute("role", "option");
      line.setAttribute("aria-disabled", "true");
      line.setAttribute("aria-selected", "false");
      line.textContent = "Nothing of that name";
      list.append(line);
    }
    mark();
  }
  function mark() {
    $$("#palette-list li").forEach((line, i) => line.setAttribute("aria-selected", String(i === at && hits.length > 0)));
    const input = $("#palette input");
    if (hits.length) input.setAttribute("aria-activedescendant", `hit-${at}`);
    else input.removeAttribute("aria-activedescendant");
    $(`#hit-${at}`)?.scrollIntoView({ block: "nearest" });
  }
  function choose(i) {
    const hit = hits[i];
    if (!hit) return;
    $("#palette").close();
    if (hit.href) location.assign(hit.href);
    else if (hit.act) hit.act();
    else window.emitEvent("command", hit.run);
  }
  function openHelp() {
    $("#person")?.hidePopover?.();
    $("#help")?.showModal();
  }

  // ---- lists and drawers ----
  let pressedStep = ""; // the step button that had the focus: its successor gets it
  function drawer() {
    return $("[data-drawer].open");
  }
  function moveFocus(step) {
    const rows = $$(".rowlink").filter((each) => each.offsetParent);
    const now = rows.indexOf(document.activeElement?.closest("tr")?.querySelector(".rowlink"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, now < 0 ? 0 : now + step))];
    next?.focus();
    next?.closest("tr").scrollIntoView({ block: "nearest" });
  }
  function drawerOpened(id) {
    const box = window.getHtmlElement(id);
    if (!box || box.contains(document.activeElement)) return;
    const wanted = pressedStep ? `[data-drawer-step="${pressedStep}"]` : "[data-drawer-close]";
    pressedStep = "";
    const reach = (left) => {
      // It is drawn, and made visible, some frames after this is heard.
      $(wanted, box)?.focus({ preventScroll: true });
      if (left > 0 && !box.contains(document.activeElement)) setTimeout(reach, 30, left - 1);
    };
    reach(20);
  }
  let focused = null; // what had the focus last, also once it is gone, and the drawer that it was in
  let focusedIn = null;
  document.addEventListener("focusin", (event) => {
    focused = event.target;
    focusedIn = focused.closest("[data-drawer]");
  });
  // What had the focus was drawn anew with the rest, or is no longer offered: then the way out has it.
  function drawerRedrawn(id) {
    const box = window.getHtmlElement(id);
    const reach = (left) => {
      if (document.activeElement === document.body && focused && !focused.isConnected) {
        const same = $$("button", box).find((each) => each.innerText && each.innerText === focused.innerText);
        (same ?? $("[data-drawer-close]", box))?.focus({ preventScroll: true });
      } else if (left > 0) setTimeout(reach, 30, left - 1);
    };
    if (box && box === focusedIn) reach(20);
  }
  function drawerClosed(rowId) {
    const row = $(`[data-row="${CSS.escape(rowId)}"]`);
    row?.focus({ preventScroll: true });
  }

  // ---- keys ----
  function isTyping(target) {
    return target.closest("input:not([type=checkbox]), textarea, select, [contenteditable=true], [role=combobox], [role=listbox]");
  }
  // A dialog that was answered goes once the server has heard it; a key pressed until then counts afterwards.
  const ANSWER_MS = 1000;
  let answeredAt = -ANSWER_MS;
  function isAnswered() {
    return performance.now() - answeredAt < ANSWER_MS;
  }
  function afterDialog(key) {
    if ($(".q-dialog")) {
      if (isAnswered()) setTimeout(afterDialog, 20, key);
      return;
    }
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  }
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if ($("dialog[open]")) return;
    if ($(".q-dialog")) {
      if (event.key === "Escape") answeredAt = performance.now();
      else if (/^\S$/.test(event.key) && isAnswered() && !isTyping(event.target)) afterDialog(event.key);
      return;
    }
    if (event.key === "Escape") {
      if (document.body.classList.contains("navopen")) setNavigation(false);
      else if (event.target.matches(".search input")) event.target.blur();
      else if (drawer() && !$(".q-menu")) $("[data-drawer-close]", drawer())?.click();
      return;
    }
    if (isTyping(event.target)) return;
    const press = (selector, from) => {
      const button = $(selector, from);
      if (button) {
        event.preventDefault();
        button.click();
      }
    };
    if (event.key === "/") {
      const field = $(".search input");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      } else {
        event.preventDefault();
        openPalette();
      }
    } else if (event.key === "?") openHelp();
    else if (event.key === "j") drawer() ? press('[data-drawer-step="1"]', drawer()) : moveFocus(1);
    else if (event.key === "k") drawer() ? press('[data-drawer-step="-1"]', drawer()) : moveFocus(-1);
    else if (event.key === "x") press("td.c-sel input", document.activeElement?.closest("tr") ?? document.createElement("i"));
    else {
      const lines = JSON.parse($("#commands")?.dataset.commands || "[]");
      const line = lines.find((each) => each.key && each.key === event.key && each.run !== undefined);
      if (line) {
        event.preventDefault();
        window.emitEvent("command", line.run);
      }
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".q-dialog .dfoot button")) answeredAt = performance.now();
    const step = event.target.closest?.("[data-drawer-step]");
    if (step) pressedStep = step === document.activeElement ? step.dataset.drawerStep : "";
    const target = event.target.closest?.("[data-palette],[data-help],[data-theme-toggle],[data-nav-open],[data-nav-close],[data-close],[data-copy],.skip");
    if (!target) {
      if (event.target instanceof HTMLDialogElement) event.target.close(); // a click beside it
      return;
    }
    if (target.matches("[data-palette]")) openPalette();
    else if (target.matches("[data-help]")) openHelp();
    else if (target.matches("[data-theme-toggle]")) toggleTheme();
    else if (target.matches("[data-nav-open]")) setNavigation(true);
    else if (target.matches("[data-nav-close]")) setNavigation(false);
    else if (target.matches("[data-close]")) target.closest("dialog").close();
    else if (target.matches("[data-copy]")) copy(target);
    else if (target.matches(".skip")) {
      event.preventDefault();
      $("#content")?.focus();
    }
  });
  async function copy(button) {
    const label = $("span", button) ?? button;
    const [words, name] = (button.asItWas ??= [label.textContent, button.ariaLabel]);
    button.ariaLabel = null; // its name is what is seen
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Copying is not allowed here";
    }
    setTimeout(() => {
      label.textContent = words;
      button.ariaLabel = name;
    }, 1500);
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches("#palette input")) fill(event.target.value);
  });
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.("#palette input")) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (hits.length) at = (at + (event.key === "ArrowDown" ? 1 : hits.length - 1)) % hits.length;
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(at);
    }
  });

  // ---- what the server says ----
  function pulse(known) {
    heardAt = Date.now();
    for (const name of ["waiting", "open_letters", "open_alerts"]) {
      const count = $(`[data-count="${name}"]`);
      if (count && count.textContent !== known[name]) count.textContent = known[name];
    }
    const bell = $(".bell");
    if (bell && bell.title !== known.bell) bell.ariaLabel = bell.title = known.bell;
    const health = $("[data-health]");
    if (health && health.textContent !== known.health) health.textContent = known.health;
    $(".sidefoot .dot")?.classList.toggle("off", !known.well);
    tick();
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) heardAt = Math.max(heardAt, Date.now() - QUIET_MS / 2); // it was told to be quiet
    if (window.did_handshake) window.emitEvent("page_visible", !document.hidden);
  });
  async function reconnectOrLeave() {
    // A browser whose session is over gets no socket; its page goes to the sign-in page then.
    if (window.socket?.connected || document.hidden || Date.now() - heardAt < QUIET_MS) return;
    try {
      const answer = await fetch("/auth/session", { cache: "no-store" });
      if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    } catch {
      // The server is away; the mark says so already.
    }
  }

  // The address is the state: back and forward within a page show it as it was. A jump to a place of it is none.
  window.addEventListener("popstate", () => location.hash || location.reload());
  document.addEventListener("DOMContentLoaded", () => {
    const chrome = $("#chrome");
    if (chrome) skew = Date.parse(chrome.dataset.now) - Date.now();
    const top = $(".top");
    if (top) new ResizeObserver(() => root.style.setProperty("--head", `${top.offsetHeight}px`)).observe(top);
    showTheme(isDark());
    setInterval(tick, 1000);
    if (chrome) setInterval(reconnectOrLeave, 5000);
    // On a low screen the navigation scrolls: where one is should be in sight.
    if (innerWidth > 900) $("#side a[aria-current]")?.scrollIntoView({ block: "nearest" });
    $("#side")?.addEventListener("click", (event) => event.target.closest("a") && setNavigation(false));
  });
  // What is written into a field where its cursor stands, as if typed.
  function insert(id, words) {
    const field = document.getElementById(id);
    if (!field) return;
    field.setRangeText(words, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }

  // Other words for the same, unless whoever typed them is back in the field, or has typed on.
  function rewrite(id, was, words) {
    const field = document.getElementById(id);
    if (!field || field === document.activeElement || field.value !== was) return;
    field.value = words;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  window.waypost = { relative, pulse, drawerOpened, drawerRedrawn, drawerClosed, insert, rewrite };
})();
