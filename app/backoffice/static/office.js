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

function draw(place) {
  const [times, amounts] = JSON.parse(place.dataset.series);
  const height = Number(place.dataset.height || 180);
  place.textContent = "";
  const plot = new uPlot({
    width: place.clientWidth,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    legend: { live: true },
    axes: [
      { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } },
      { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, size: 70 },
    ],
    series: [
      { label: "UTC" },
      { label: place.dataset.label, stroke: colour("--accent"), width: 1.5, fill: colour("--tint"), points: { show: times.length < 60 } },
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
