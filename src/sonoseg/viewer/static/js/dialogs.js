// Export, token, and the size of a pixel: what is asked in a box.
import { $, sentences } from "./said.js";
import * as server from "./server.js";

const KINDS = [
  ["mask", "Masks (PNG)", true], ["overlay", "Overlays (PNG)", true], ["json", "Findings (JSON)", true],
  ["csv", "Table (CSV)", false], ["coco", "COCO", false], ["nrrd", "3D Slicer (.seg.nrrd)", false],
  ["seg", "DICOM SEG", false], ["sr", "DICOM SR", false],
];

/** current: () => the frame on the stage, see work.js. settled: promise that all strokes are saved. */
export function exporting(current, settled) {
  const box = $("exporting");
  $("kinds").replaceChildren(...KINDS.map(([kind, title, on]) => choice(kind, title, on)));
  $("download").addEventListener("click", async (event) => {
    event.preventDefault();
    const kinds = [...$("kinds").querySelectorAll("input:checked")].map((each) => each.value);
    const one = box.querySelector("[name=scope]:checked").value === "one";
    if (!kinds.length) return void ($("export-said").textContent = "Choose something to export.");
    const { place, model } = current();
    $("download").disabled = true;
    $("export-said").textContent = "Writing…";
    try {
      await settled();
      const { name, blob } = await server.exported(one ? [place.case] : [], kinds, model.name);
      save(name, blob);
      $("export-said").textContent = `${name} was handed to the browser.`;
    } catch (error) {
      $("export-said").textContent = sentences(error);
    }
    $("download").disabled = false;
  });
  return () => {
    $("export-said").textContent = "";
    box.showModal();
  };
}

function choice(kind, title, on) {
  const label = document.createElement("label"), box = document.createElement("input");
  Object.assign(box, { type: "checkbox", value: kind, checked: on });
  label.append(box, ` ${title}`);
  return label;
}

function save(name, blob) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Ask for the token; null where the person gives up. wrong: whether one was given that is not right. */
export function token(wrong) {
  const box = $("token");
  $("token-said").textContent = wrong ? "This token is not right." : "Whoever started the service has it.";
  if (!box.open) {
    box.returnValue = $("token-text").value = "";
    box.showModal();
  }
  return new Promise((done) => box.addEventListener("close", () => done(box.returnValue === "ok" ? $("token-text").value.trim() : null), { once: true }));
}
