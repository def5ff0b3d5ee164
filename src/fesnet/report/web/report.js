"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const video = document.querySelector("video"), place = document.getElementById("timeline");
  const cards = [...document.querySelectorAll(".card")];
  const context = new FesnetContext(document.getElementById("context"), { onChange: () => draw() });
  const mark = (id) => cards.forEach((c) => c.setAttribute("aria-current", String(Number(c.dataset.id) === id)));
  const timeline = new FesnetTimeline(place, {
    onSeek: (s) => {
      if (video) video.currentTime = s;
    },
    onSelect: (id) => {
      mark(id);
      document.querySelector(`.card[data-id="${id}"]`)?.scrollIntoView({ block: "nearest" });
    },
  });
  const draw = () => {
    timeline.setData({ ...data, intervals: data.intervals.filter((i) => !context.hides(i)), lanes: context.lanes() });
    for (const card of cards) card.hidden = context.hides(data.intervals.find((i) => i.id === Number(card.dataset.id)));
  };
  context.setData({ flags: data.flags, intervals: data.intervals });
  draw();
  window.fesnetTimeline = timeline;
  for (const card of cards) {
    card.querySelector("button")?.addEventListener("click", () => {
      const chosen = data.intervals.find((i) => i.id === Number(card.dataset.id));
      timeline.choose(chosen);
      (video ?? place).scrollIntoView({ block: "nearest" });
    });
  }
  if (!video) return;
  const follow = () => {
    timeline.setTime(video.currentTime);
    if (!video.paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked", "timeupdate"]) video.addEventListener(name, follow);
  video.addEventListener("error", () => {
    document.getElementById("no-video").hidden = false;
  }, true);
})();
