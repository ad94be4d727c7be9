"use strict";

// Fetches the page again and takes over its progress, until it says that nothing is to come.
async function follow() {
    const shown = document.getElementById("qaprod-progress");
    if (!shown || !shown.dataset.every) {
        return;
    }
    await new Promise((wake) => { setTimeout(wake, Number(shown.dataset.every)); });
    if (document.visibilityState === "visible") {
        try {
            const answer = await fetch(location.href, { credentials: "same-origin" });
            const text = answer.ok && !answer.redirected ? await answer.text() : "";
            const now = new DOMParser().parseFromString(text, "text/html").getElementById("qaprod-progress");
            if (now && now.innerHTML !== shown.innerHTML && !shown.contains(document.activeElement)) {
                shown.replaceWith(now);
            }
        } catch {
            // The server does not answer: the next time, perhaps.
        }
    }
    follow();
}

follow();
