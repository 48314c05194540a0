// Says how soon a new password would be guessed, while it is typed. The server decides; this only tells early.
(() => {
  "use strict";
  const common = new Set(JSON.parse(document.getElementById("common").textContent));
  const SHORTEST = 12;
  const WORDS = ["", "Guessed at once", "Weak: more words make it better", "Good", "Strong"];

  function score(password) {
    if (password.length < SHORTEST) return 0;
    const lowered = password.toLowerCase();
    const letters = lowered.replace(/[^a-z]+/g, "");
    const plain = lowered.replace(/[0-9!?.@#$]+$/, "");
    if (common.has(lowered) || common.has(letters) || common.has(plain) || new Set(lowered).size < 5) return 1;
    const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(password)).length;
    const worth = new Set(lowered).size + password.length + kinds * 2;
    return worth < 26 ? 2 : worth < 34 ? 3 : 4;
  }

  for (const input of document.querySelectorAll("input[data-measured]")) {
    const meter = input.nextElementSibling;
    const hint = document.getElementById(`${input.name}-hint`);
    const first = hint.textContent;
    input.addEventListener("input", () => {
      const found = score(input.value);
      const missing = SHORTEST - input.value.length;
      meter.dataset.score = input.value ? Math.max(found, 1) : 0;
      hint.textContent = !input.value ? first : missing > 0 ? `${missing} more characters` : WORDS[found];
    });
  }
})();
