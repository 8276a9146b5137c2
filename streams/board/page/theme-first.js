// Before the first paint, so that a dark room sees no flash of white.
try {
  const { theme } = JSON.parse(localStorage.getItem("moodwire.preferences") || "{}");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off or holds something else: the system's theme is used.
}
