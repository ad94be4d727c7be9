"use strict";

// Keeps what a visitor types until the server has confirmed it, and gives it back to a page loaded anew.
// A draft belongs to a nonce that is sent along; the server answers a submission that it took with the
// nonce in a cookie. What is kept of a field: the values that the server served, and what was typed since.
(() => {
    const script = document.currentScript;
    const says = script.dataset;
    const PREFIX = "qaprod:draft:";
    const NONCE = "qaprod_form";
    const MOST = { length: 100000, drafts: 20 };
    const NEVER_TYPES = /^(password|hidden|file|submit|button|image|reset)$/;
    const NEVER_FILLS = /(^|\s)(off|cc-\S+|current-password|new-password|one-time-code)(\s|$)/i;
    const NEVER_NAMES = /passw|passphrase|secret|token|card.?n|cvc|cvv/i;

    // Storage may be forbidden or full: then the form is as it was without us.
    const quietly = (act) => { try { return act(); } catch { return undefined; } };
    const read = (key) => quietly(() => JSON.parse(localStorage.getItem(key)));
    const drop = (key) => quietly(() => localStorage.removeItem(key));
    const drafts = () => (quietly(() => Object.keys(localStorage)) || [])
        .filter((key) => key.startsWith(PREFIX))
        .map((key) => ({ key, until: 0, ...read(key) }))
        .sort((one, other) => other.until - one.until);

    // Drops what was confirmed, what is too old and what is too much; returns the confirmed nonces.
    function tidy() {
        const cookie = /(?:^|; )qaprod_done=([0-9a-f.]+)/.exec(document.cookie);
        const done = cookie ? cookie[1].split(".") : [];
        if (cookie) document.cookie = "qaprod_done=; path=/; max-age=0; samesite=lax";
        drafts().forEach(({ key, until }, place) => {
            if (done.includes(key.slice(-32)) || until < Date.now() || place >= MOST.drafts) drop(key);
        });
        return done;
    }

    const isChoice = (field) => field.type === "checkbox" || field.type === "radio";

    // What a field holds, or what it was served with.
    function values(field, served) {
        if (isChoice(field)) return (served ? field.defaultChecked : field.checked) ? [field.value] : [];
        if (field.options) {
            const options = [...field.options];
            let chosen = options.filter((option) => (served ? option.defaultSelected : option.selected));
            // A drop-down always shows one: the last that is marked, or else the first.
            if (served && field.type === "select-one") {
                chosen = chosen.length || field.size > 1 ? chosen.slice(-1)
                    : options.filter((option) => !option.disabled).slice(0, 1);
            }
            return chosen.map((option) => option.value);
        }
        // Through a copy, because types like date and range correct what they are given.
        return [served ? Object.assign(field.cloneNode(), { value: field.defaultValue }).value : field.value];
    }

    const state = (fields, served) => JSON.stringify(fields.flatMap((field) => values(field, served)));

    function put(fields, text) {
        const given = JSON.parse(text);
        fields.forEach((field, place) => {
            if (isChoice(field)) field.checked = given.includes(field.value);
            else if (field.options) {
                const options = [...field.options];
                if (!given.every((value) => options.some((option) => option.value === value))) return;
                for (const option of options) option.selected = given.includes(option.value);
            } else if (place < given.length) field.value = given[place];
            for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
        });
    }

    function guard(form, slot) {
        const never = new Set();
        let timer = 0;
        let giving = false;

        // The fields that may be kept, by name. One that was ever a password stays one when it is shown.
        // (Not form.elements: a field of that name would hide it.)
        function groups() {
            const found = new Map();
            for (const field of document.querySelectorAll("input, select, textarea")) {
                if (field.form !== form || !field.name) continue;
                const fill = field.getAttribute("autocomplete") || form.getAttribute("autocomplete") || "";
                if (NEVER_TYPES.test(field.type) || NEVER_FILLS.test(fill) || NEVER_NAMES.test(field.name)
                    || field.closest("[data-qaprod-off]")) never.add(field.name);
                else if (!field.matches(":disabled") && !field.readOnly) {
                    found.set(field.name, [...(found.get(field.name) || []), field]);
                }
            }
            return found;
        }

        const kept = () => new Map(quietly(() => read(slot + nonce).fields) || []);

        function save() {
            clearTimeout(timer);
            timer = 0;
            if (tidy().includes(nonce)) return;
            const fields = kept();
            for (const [name, group] of groups()) {
                const served = state(group, true);
                const [first] = (fields.get(name) || [[served]])[0];
                const now = state(group);
                if (now === first) fields.delete(name);
                else fields.set(name, [[...new Set([first, served])], now]);
            }
            for (const name of never) fields.delete(name);
            if (!fields.size) return drop(slot + nonce);
            const text = JSON.stringify({ until: Date.now() + says.hours * 36e5, fields: [...fields] });
            if (text.length <= MOST.length) quietly(() => localStorage.setItem(slot + nonce, text));
            // So that this tab goes on with its own, whatever is typed in others.
            quietly(() => sessionStorage.setItem(slot, nonce));
        }

        // Where the server sends another value than those it sent before, for instance with errors, that wins.
        function giveBack() {
            let some = false;
            giving = true;
            const fields = kept();
            for (const [name, group] of groups()) {
                const [known, now] = fields.get(name) || [[]];
                const served = state(group, true);
                if (!known.includes(served) || now === served || state(group) !== served) continue;
                put(group, now);
                some = some || state(group) !== served;
            }
            giving = false;
            if (some) tell();
        }

        function tell() {
            const notice = document.createElement("div");
            const status = document.createElement("p");
            const button = document.createElement("button");
            notice.className = "qaprod-given-back";
            notice.tabIndex = -1;
            status.setAttribute("role", "status");
            button.type = "button";
            button.textContent = says.discard;
            button.addEventListener("click", () => {
                HTMLFormElement.prototype.reset.call(form);
                drop(slot + nonce);
                button.remove();
                status.textContent = says.discarded;
                notice.focus();
            });
            notice.append(status, button);
            form.before(notice);
            // Screen readers announce what changes in a status, not what it came with.
            setTimeout(() => { status.textContent = says.given; }, 100);
        }

        const own = quietly(() => sessionStorage.getItem(slot));
        const found = drafts().filter(({ key }) => key.startsWith(slot) && key.length === slot.length + 32);
        const draft = found.find(({ key }) => key === slot + own) || found[0];
        // The same nonce for the same draft: sent twice, it can be known for the same.
        const nonce = draft ? draft.key.slice(-32)
            : [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
        const input = document.createElement("input");
        Object.assign(input, { type: "hidden", name: NONCE, value: nonce });
        form.append(input);
        giveBack();

        const flush = () => { if (timer) save(); };
        const later = ({ target }) => {
            if (target.form === form && !giving && !timer) timer = setTimeout(save, 400);
        };
        document.addEventListener("input", later);
        document.addEventListener("change", later);
        document.addEventListener("submit", ({ target }) => { if (target === form) save(); }, true);
        form.addEventListener("reset", () => setTimeout(save));
        document.addEventListener("visibilitychange", flush);
        addEventListener("pagehide", flush);
    }

    // Looks like the host's own text; whatever the host says about the class wins.
    quietly(() => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(":where(.qaprod-given-back){margin:1em 0;padding:.75em 1em;border:1px solid;"
            + "border-inline-start-width:.3em}:where(.qaprod-given-back)>p{margin:0 0 .5em}");
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    });

    tidy();
    // Back from the browser's cache: nothing is loaded, but something may have been confirmed.
    addEventListener("pageshow", ({ persisted }) => persisted && tidy());

    const inside = script.closest("form");
    const seen = {};
    for (const form of inside ? [inside] : document.querySelectorAll("form")) {
        const action = quietly(() => new URL(form.getAttribute("action") || location.href, document.baseURI));
        const method = (form.getAttribute("method") || "").toLowerCase();
        if (method !== "post" || !action || action.origin !== location.origin
            || form.closest("[data-qaprod-off]") || form.querySelector(`input[name="${NONCE}"]`)) continue;
        // By where it is sent, so that the answer with errors finds the draft at another address than the form.
        const name = form.getAttribute("id") || form.getAttribute("name") || "";
        const slot = `${PREFIX}${says.owner}:${action.pathname}:${name}`;
        seen[slot] = (seen[slot] || 0) + 1;
        guard(form, `${slot}:${seen[slot]}:`);
    }
})();
