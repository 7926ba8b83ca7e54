// Tables are sorted by the column whose heading is clicked: numbers by value, words by the alphabet.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.tabIndex = 0;
    const sort = () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = row => {
        const cell = row.cells[column], text = cell.dataset.value ?? cell.textContent.trim();
        const number = parseFloat(text);
        return text === "" ? null : Number.isNaN(number) ? text : number;
      };
      const compare = (a, b) => a === null ? 1 : b === null ? -1
        : (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))) * (up ? 1 : -1);
      const rows = [...table.tBodies[0].rows].sort((one, other) => compare(key(one), key(other)));
      table.tBodies[0].append(...rows);
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
  });
}
