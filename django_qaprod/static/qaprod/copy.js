"use strict";

// Copies the text of the field that a button names; where the clipboard is not to be had, selects it.
for (const button of document.querySelectorAll("button[data-copy]")) {
    const field = document.getElementById(button.dataset.copy);
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
        try {
            await navigator.clipboard.writeText(field.value);
            button.textContent = button.dataset.done;
            setTimeout(() => { button.textContent = label; }, 2000);
        } catch {
            const details = field.closest("details");
            if (details) {
                details.open = true;
            }
            field.focus();
            field.select();
        }
    });
}
