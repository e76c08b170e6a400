// SPDX-License-Identifier: BSD-3-Clause
// Before the first paint: the colours that were chosen here earlier.
"use strict";
try {
  const theme = localStorage.getItem("drip-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden: then the system's colours are used.
}
