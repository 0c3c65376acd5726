// What benchopt's page takes from the web, but for plotly's script: the part of it that
// the page uses.

// Plotly: since its version 3, titles are objects, and the page gives texts.
if (window.Plotly) {
  const react = Plotly.react;
  const withTitles = layout => {
    for (const part of [layout, layout.xaxis, layout.yaxis])
      if (typeof part?.title === "string") part.title = {text: part.title};
    return layout;
  };
  window.Plotly = {
    ...Plotly,
    react: (div, data, layout) => react(div, data, withTitles(layout)),
  };
}

// Grid.js: a table that sorts and searches. Class names are those that the page reads.
window.gridjs = {
  html: html => ({html}),
  Grid: class {
    constructor({columns, data}) {
      this.columns = columns.map((column, index) => ({...column, index}));
      this.data = data;
      this.sorted = {index: null, direction: 0};
    }

    on(event, listener) {
      this.ready = listener;
    }

    render(container) {
      container.innerHTML = `<div class="gridjs-container">
        <input class="gridjs-input" type="search" placeholder="Search the table">
        <div class="gridjs-wrapper"><table class="gridjs-table">
          <thead><tr></tr></thead><tbody></tbody>
        </table></div></div>`;
      this.container = container;
      container.querySelector("input").oninput = () => this.forceRender();
      this.forceRender();
      this.ready?.();
    }

    forceRender() {
      const {index, direction} = this.sorted;
      const shown = this.columns.filter(column => !column.hidden);
      const query = this.container.querySelector("input").value.toLowerCase();
      const rows = direction === 0 ? this.data : this.data.toSorted((a, b) =>
        direction * this.columns[index].sort.compare(a[index], b[index]));

      this.container.querySelector("thead tr").replaceChildren(
        ...shown.map(column => this.header(column)));
      this.container.querySelector("tbody").replaceChildren(
        ...rows.map(row => this.row(shown, row))
          .filter(row => row.textContent.toLowerCase().includes(query)));
    }

    header(column) {
      const direction = this.sorted.index === column.index ? this.sorted.direction : 0;
      const state = {"1": "asc", "0": "neutral", "-1": "desc"}[direction];
      const cell = document.createElement("th");
      cell.className = "gridjs-th";
      cell.ariaSort = {asc: "ascending", desc: "descending", neutral: "none"}[state];
      const name = document.createElement("div");
      name.className = "gridjs-th-content";
      name.textContent = column.name;
      const button = document.createElement("button");
      button.className = `gridjs-sort gridjs-sort-${state}`;
      button.ariaLabel = `Sort by ${column.name}`;
      cell.append(name, button);
      cell.onclick = () => {
        this.sorted = {index: column.index, direction: {0: 1, 1: -1, "-1": 0}[direction]};
        this.forceRender();
      };
      return cell;
    }

    row(columns, values) {
      const row = document.createElement("tr");
      for (const column of columns) {
        const content = column.formatter(values[column.index]);
        const cell = row.insertCell();
        cell.className = "gridjs-td";
        if (content?.html === undefined) cell.textContent = content;
        else cell.innerHTML = content.html;
      }
      return row;
    }
  },
};

// anime.js: what moves is put where it ends.
window.anime = {
  timeline: () => ({
    add({targets, scaleY, opacity}) {
      for (const element of document.querySelectorAll(targets)) {
        if (opacity) element.style.opacity = opacity[1];
        if (scaleY) element.style.transform = `scaleY(${scaleY[1]})`;
      }
      return this;
    },
  }),
};
