// The time zone of this browser, where it is one that can be chosen.
(() => {
  "use strict";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = [...document.querySelectorAll("#timezone-choices option")].some((option) => option.value === zone);
  if (known) document.getElementById("timezone").value = zone;
})();
