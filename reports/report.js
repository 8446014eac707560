// What pytest-html's table lacks for those who use a keyboard or a screen reader, and for paper.

// Every row is a copy of this template: without the frame for pictures, of which there are none, in half the time.
document.querySelector("#template_results-table__tbody").content.querySelector(".media").replaceChildren();

addEventListener("keydown", (event) => {
  const at = event.target.closest("#results-table :is(th.sortable, td.col-verdict)");
  if (!at || (event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  const id = at.parentElement.dataset.id;
  const column = at.dataset.columnType;
  at.click(); // which draws the whole table anew
  const drawn = id ? `[data-id="${id}"] > .col-verdict` : `th[data-column-type="${column}"]`;
  document.querySelector(`#results-table ${drawn}`)?.focus();
});
addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".filters input")) box.ariaLabel = box.nextElementSibling.textContent;
});
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details.printed")) folded.open = true;
});
