"use strict";

// Draws each figure[data-chart] with uPlot from the JSON in the script element that it names, in place of the
// picture from the server. Colours are CSS variables, so that they follow the theme.
(() => {
    const HEIGHT = 220;
    // Nothing happens half a time: the axis of counts has whole numbers.
    const WHOLE = Array.from({ length: 36 }, (nothing, index) => [1, 2, 5][index % 3] * 10 ** Math.floor(index / 3));
    const language = document.documentElement.lang || undefined;
    const DOUBLED = Array.from({ length: 52 }, (nothing, index) => 2 ** index);
    const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    const counts = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
    const small = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
    const shares = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

    function colour(figure, name) {
        return getComputedStyle(figure).getPropertyValue(`--qaprod-${name}`).trim() || "gray";
    }

    function written(figure, unit, value) {
        if (value === null || value === undefined) {
            return "–";
        }
        const size = Math.abs(value);
        if (size >= 1e15) {
            return value.toExponential(2);
        }
        if (unit === "bytes") {
            const power = size < 1 ? 0 : Math.min(Math.floor(Math.log2(size) / 10), BINARY.length - 1);
            return `${counts.format(value / 1024 ** power)} ${BINARY[power]}`;
        }
        if (unit === "share") {
            return shares.format(value);
        }
        if (unit !== "seconds") {
            return (size < 10 ? small : counts).format(value);
        }
        return size < 1
            ? `${counts.format(value * 1000)} ${figure.dataset.ms}`
            : `${counts.format(value)} ${figure.dataset.s}`;
    }

    // Zero is always in the picture.
    function range(plot, low, high) {
        const [bottom, top] = [Math.min(low ?? 0, 0) * 1.08, Math.max(high ?? 0, 0) * 1.08];
        return bottom === top ? [0, 1] : [bottom, top];
    }

    function steps(data) {
        return data.unit === "bytes" ? { incrs: DOUBLED } : data.whole ? { incrs: WHOLE } : {};
    }

    // Readings that have none beside them are no line, so they are dots.
    function alone(values) {
        const there = (index) => values[index] !== null && values[index] !== undefined;
        return values.flatMap((value, index) =>
            there(index) && !there(index - 1) && !there(index + 1) ? [index] : []);
    }

    function inZone(zone) {
        return (seconds) => {
            try {
                return uPlot.tzDate(new Date(seconds * 1000), zone);
            } catch {
                return new Date(seconds * 1000);
            }
        };
    }

    // Marks that are nearer than `gap` have one label. Each stands in the first of three rows in which it covers
    // no other; nothing where one has no room.
    function labelled(figure, plot, marks, gap) {
        const { ctx, bbox } = plot;
        const groups = [];
        for (const mark of marks) {
            const group = groups.at(-1);
            if (group && mark.x - group.x < gap) {
                group.number += 1;
            } else {
                groups.push({ ...mark, number: 1 });
            }
        }
        const ends = [-Infinity, -Infinity, -Infinity];
        for (const group of groups) {
            if (group.number > 1) {
                group.label = figure.dataset.changes.replace("{n}", counts.format(group.number));
            }
            const width = ctx.measureText(group.label).width + 8 * devicePixelRatio;
            group.right = group.x + width > bbox.left + bbox.width;
            const start = group.right ? group.x - width : group.x;
            group.row = ends.findIndex((end) => end <= start);
            if (group.row < 0) {
                return null;
            }
            ends[group.row] = start + width;
        }
        return groups;
    }

    // Deploys and flags: a dashed line each, with the name beside it, or how many there are.
    function marked(figure, marks) {
        return (plot) => {
            const { ctx, bbox } = plot;
            ctx.save();
            ctx.strokeStyle = ctx.fillStyle = colour(figure, "mark");
            ctx.lineWidth = devicePixelRatio;
            ctx.font = `${11 * devicePixelRatio}px sans-serif`;
            ctx.textBaseline = "top";
            ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
            const seen = marks
                .map(({ at, label }) => ({ x: Math.round(plot.valToPos(at, "x", true)), label }))
                .filter(({ x }) => x >= bbox.left && x <= bbox.left + bbox.width)
                .sort((one, other) => one.x - other.x);
            for (const { x } of seen) {
                ctx.beginPath();
                ctx.moveTo(x, bbox.top);
                ctx.lineTo(x, bbox.top + bbox.height);
                ctx.stroke();
            }
            let gap = bbox.width / 25;
            let groups = labelled(figure, plot, seen, gap);
            while (groups === null && gap < bbox.width) {
                gap *= 1.5;
                groups = labelled(figure, plot, seen, gap);
            }
            for (const { x, label, right, row } of groups ?? []) {
                ctx.textAlign = right ? "right" : "left";
                const y = bbox.top + row * 13 * devicePixelRatio;
                ctx.fillText(label, x + (right ? -4 : 4) * devicePixelRatio, y);
            }
            ctx.restore();
        };
    }

    function options(figure, data, width) {
        const axis = { stroke: colour(figure, "quiet"), grid: { stroke: colour(figure, "grid"), width: 1 }, ticks: { show: false } };
        return {
            width,
            height: HEIGHT,
            tzDate: inZone(figure.dataset.zone),
            cursor: { drag: { x: true, y: false, setScale: true } },
            scales: { y: { range } },
            bands: data.band ? [{ series: data.band.map((line) => line + 1), fill: colour(figure, "main-soft") }] : [],
            axes: [
                { ...axis, values: figureTimes(figure) },
                { ...axis, ...steps(data), size: 62, values: (plot, values) => values.map((value) => written(figure, data.unit, value)) },
            ],
            series: [
                { label: figure.dataset.time, value: (plot, value) => whole(figure, value) },
                ...data.lines.map((line) => ({
                    label: line.label,
                    stroke: colour(figure, line.colour),
                    fill: line.filled ? colour(figure, `${line.colour}-soft`) : undefined,
                    dash: line.dashed ? [6, 4] : undefined,
                    width: 1.5,
                    spanGaps: false,
                    points: { show: false, filter: () => alone(line.values), size: 4 },
                    value: (plot, value) => written(figure, data.unit, value),
                })),
            ],
            hooks: { draw: [marked(figure, data.marks)] },
        };
    }

    function formats(figure, style) {
        const zone = figure.dataset.zone;
        try {
            return new Intl.DateTimeFormat(language, { ...style, timeZone: zone });
        } catch {
            return new Intl.DateTimeFormat(language, style);
        }
    }

    function figureTimes(figure) {
        const clock = formats(figure, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
        const day = formats(figure, { day: "numeric", month: "short" });
        return (plot, values, index, space, step) => {
            let before = "";
            return values.map((value) => {
                const date = new Date(value * 1000);
                const today = day.format(date);
                const text = step >= 86400 ? today : today === before ? clock.format(date) : `${clock.format(date)}\n${today}`;
                before = today;
                return text;
            });
        };
    }

    function whole(figure, value) {
        if (value === null || value === undefined) {
            return "–";
        }
        return formats(figure, { dateStyle: "medium", timeStyle: "short" }).format(new Date(value * 1000));
    }

    function zoom(plot, times, factor, shift) {
        const first = times[0];
        const last = times[times.length - 1];
        const { min, max } = plot.scales.x;
        const half = Math.max(((max - min) * factor) / 2, (times[1] - times[0]) || 60);
        const middle = (min + max) / 2 + (max - min) * shift;
        const low = Math.max(middle - half, first);
        plot.setScale("x", { min: low, max: Math.min(Math.max(low + 2 * half, middle + half), last) });
    }

    function keyboard(figure, plot, times) {
        const all = () => plot.setScale("x", { min: times[0], max: times[times.length - 1] });
        const keys = {
            "+": () => zoom(plot, times, 0.5, 0),
            "=": () => zoom(plot, times, 0.5, 0),
            "-": () => zoom(plot, times, 2, 0),
            "ArrowLeft": () => zoom(plot, times, 1, -0.25),
            "ArrowRight": () => zoom(plot, times, 1, 0.25),
            "0": all,
        };
        plot.root.tabIndex = 0;
        plot.root.setAttribute("role", "group");
        plot.root.setAttribute("aria-label", figure.dataset.help);
        figure.querySelector("figcaption").title = figure.dataset.help;
        plot.root.addEventListener("keydown", (event) => {
            if (Object.hasOwn(keys, event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
                event.preventDefault();
                keys[event.key]();
            }
        });
        return all;
    }

    function draw(figure) {
        const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
        const place = figure.querySelector(".qaprod-picture");
        const columns = [data.times, ...data.lines.map((line) => line.values)];
        const button = document.createElement("button");
        button.type = "button";
        button.className = "button qaprod-all";
        button.textContent = figure.dataset.all;
        button.hidden = true;
        let plot = null;

        function start() {
            plot?.destroy();
            place.replaceChildren();
            const settings = options(figure, data, place.clientWidth);
            settings.hooks.setScale = [(drawn, key) => {
                if (key === "x") {
                    const { min, max } = drawn.scales.x;
                    button.hidden = min <= data.times[0] && max >= data.times[data.times.length - 1];
                }
            }];
            plot = new uPlot(settings, columns, place);
            button.onclick = keyboard(figure, plot, data.times);
        }

        figure.querySelector("figcaption").append(button);
        figure.classList.add("qaprod-drawn");
        start();
        new ResizeObserver(() => {
            if (place.clientWidth && place.clientWidth !== plot.width) {
                plot.setSize({ width: place.clientWidth, height: HEIGHT });
            }
        }).observe(place);
        new MutationObserver(start).observe(document.documentElement, { attributeFilter: ["data-theme"] });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", start);
    }

    for (const figure of document.querySelectorAll("figure[data-chart]")) {
        if (document.getElementById(figure.dataset.chart)) {
            draw(figure);
        }
    }
})();
