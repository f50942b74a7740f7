// The pages' own script: copying ids, charts, printing, and the key that leads to the search box.
// Every page can be read and used without it.
"use strict";

document.addEventListener("click", (event) => {
  const copy = event.target.closest("button.copy");
  if (copy) {
    navigator.clipboard?.writeText(copy.dataset.copy).then(() => {
      copy.classList.add("copied");
      setTimeout(() => copy.classList.remove("copied"), 1200);
    }, () => {});
  }
  if (event.target.closest("button.print")) window.print();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const box = document.getElementById("q");
  if (box) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const SHORTEST = 300;

// The span of the horizontal axis; movements of one moment get some minutes around them.
function span(plot, from, to) {
  const times = plot.data[0];
  const first = times[0];
  const missing = SHORTEST - (times[times.length - 1] - first);
  return missing > 0 ? [first - missing / 2, first - missing / 2 + SHORTEST] : [from, to];
}

// Moments as everywhere on the pages: UTC, 24 hours, the day first.
function moment(seconds, begin, end) {
  const text = new Date(seconds * 1e3).toISOString().slice(0, 19).replace("T", " ");
  return begin === undefined ? text : text.slice(begin, end);
}

function ticks(plot, places) {
  const apart = plot.scales.x.max - plot.scales.x.min;
  if (apart <= 86400) return places.map((seconds) => moment(seconds, 11, apart < 900 ? 19 : 16));
  return places.map((seconds) => (apart < 4 * 86400 ? moment(seconds, 5, 16) : moment(seconds, 0, 10)));
}

function draw(place) {
  const [times, amounts] = JSON.parse(place.dataset.series);
  const height = Number(place.dataset.height || 180);
  place.textContent = "";
  const plot = new uPlot({
    width: place.clientWidth,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    legend: { live: true },
    scales: { x: { range: span } },
    axes: [
      { values: ticks, space: 90, stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } },
      { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, size: 70 },
    ],
    series: [
      { label: "UTC", value: (plot, seconds) => (seconds === null ? "–" : moment(seconds)) },
      { label: place.dataset.label, stroke: colour("--accent"), width: 1.5, fill: colour("--tint"), points: { show: times.length < 60 }, paths: uPlot.paths.stepped({ align: 1 }) },
    ],
  }, [times, amounts.map(Number)], place);
  new ResizeObserver(() => {
    if (place.clientWidth && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height });
  }).observe(place);
}

function drawAll() {
  document.querySelectorAll(".chart[data-series]").forEach(draw);
}

drawAll();
document.addEventListener("htmx:afterSettle", drawAll);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
