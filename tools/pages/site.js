// Tables sort by a column, numbers first, the highest on top; again, the other way.
for (const header of document.querySelectorAll("thead th")) {
  const sort = () => {
    const body = header.closest("table").tBodies[0];
    const text = row => row.cells[header.cellIndex].textContent.trim();
    const descending = header.ariaSort !== "descending" && header.cellIndex > 0;
    for (const other of header.parentNode.cells) other.ariaSort = "none";
    header.ariaSort = descending ? "descending" : "ascending";
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [a, b].map(row => parseFloat(text(row)));
      if (isNaN(x) || isNaN(y))
        return isNaN(x) - isNaN(y) || text(a).localeCompare(text(b));
      return descending ? y - x : x - y;
    });
    body.append(...rows);
  };
  header.tabIndex = 0;
  header.onclick = sort;
  header.onkeydown = event => event.key === "Enter" && sort();
}

// Pictures enlarge, over the truth: a slider, a flicker, or the difference.
const viewer = document.getElementById("viewer");
if (viewer) {
  const stage = viewer.querySelector(".stage");
  const [ours, truth] = stage.querySelectorAll("img");
  let shown;

  const show = link => {
    shown = link;
    ours.src = link.href;
    truth.src = link.parentNode.firstElementChild.href;
    viewer.querySelector("h3").textContent = link.textContent;
    if (!viewer.open) viewer.showModal();
  };
  const step = by => {
    const links = [...shown.parentNode.children];
    show(links.at((links.indexOf(shown) + by) % links.length));
  };
  const setMode = input => {
    input.checked = true;
    viewer.dataset.mode = input.value;
  };

  for (const link of document.querySelectorAll(".pictures a"))
    link.onclick = event => {
      event.preventDefault();
      show(link);
    };
  for (const input of viewer.querySelectorAll("[name=mode]"))
    input.onchange = () => setMode(input);
  setMode(viewer.querySelector("[value=slider]"));
  for (const button of viewer.querySelectorAll("[data-step]"))
    button.onclick = () => step(Number(button.dataset.step));
  viewer.onkeydown = event => {
    if (event.target.name === "mode") return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  };
  stage.onpointermove = event => {
    const {left, width} = stage.getBoundingClientRect();
    stage.style.setProperty("--at", `${(100 * (event.clientX - left)) / width}%`);
  };
}
