// The list of the newest items. Names are inserted as text, never as markup.
const state = document.getElementById("state");
fetch("/api/items?limit=20")
  .then((answer) => {
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  })
  .then(({ items }) => {
    state.textContent = items.length ? "" : "There are no items yet.";
    document.getElementById("items").append(
      ...items.map((item) => Object.assign(document.createElement("li"), { textContent: item.name })),
    );
  })
  .catch((error) => {
    state.textContent = `The items cannot be read: ${error.message}.`;
  });
