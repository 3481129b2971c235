import * as L from "leaflet";
import type { Alert, Camera } from "./api";
import { getFootprints } from "./api";
import { byId, el } from "./dom";
import { addressText, code } from "./format";

/** Below this zoom an area is too wide for footprints. */
const FOOTPRINT_ZOOM = 14;
export const COLOURS: Record<string, string> = { critical: "#ff5468", high: "#ff9149", medium: "#f4cc52", low: "#66b2f0" };

const BUILDING: L.PathOptions = { color: "#4b6378", weight: 1, fillColor: "#223343", fillOpacity: 0.9 };
const NAMED: L.PathOptions = { color: "#4fd1c5", weight: 1.5, fillColor: "#1d4a4c", fillOpacity: 0.9 };

/** The map: buildings of the address base, cameras with their views, alerts with their errors. No tiles. */
export class AlertMap {
  private readonly box = byId("map");
  private readonly note = byId("map-note");
  private readonly map: L.Map;
  private readonly canvas = L.canvas({ padding: 0.3, pane: "buildings" });
  private buildings: L.GeoJSON | null = null;
  private readonly views = L.layerGroup();
  private readonly dots = L.layerGroup();
  private readonly mark = L.layerGroup();
  private loading: AbortController | null = null;
  private named = "";

  constructor(private readonly choose: (id: string) => void) {
    this.map = L.map(this.box, { zoomControl: true, attributionControl: false, minZoom: 3, maxZoom: 21, zoomSnap: 0.5 });
    this.map.createPane("buildings").style.zIndex = "350";
    L.control.scale({ imperial: false, position: "bottomright" }).addTo(this.map);
    for (const layer of [this.views, this.dots, this.mark]) layer.addTo(this.map);
    this.map.setView([22.5438, 114.06], 11);
    this.map.on("moveend", () => void this.loadBuildings());
    new ResizeObserver(() => this.map.invalidateSize({ animate: false })).observe(this.box);
  }

  cameras(cameras: Camera[], centre: { latitude: number; longitude: number } | null): void {
    this.views.clearLayers();
    for (const camera of cameras) {
      const at: L.LatLngTuple = [camera.latitude, camera.longitude];
      if (camera.view.length > 2) {
        const corners = camera.view.map(([longitude, latitude]): L.LatLngTuple => [latitude, longitude]);
        L.polygon(corners, { color: "#4fd1c5", weight: 1, opacity: 0.55, fillOpacity: 0.07, dashArray: "4 4", interactive: false })
          .addTo(this.views);
      }
      L.circleMarker(at, { radius: 6, color: "#0a1118", weight: 2, fillColor: camera.enabled ? "#4fd1c5" : "#6c7f90", fillOpacity: 1, className: "camera" })
        .bindTooltip(el("span", {}, `${camera.name} (${camera.id})`))
        .addTo(this.views);
    }
    if (centre) this.map.setView([centre.latitude, centre.longitude], 18, { animate: false });
  }

  alerts(alerts: Alert[], selected: string | null): void {
    this.dots.clearLayers();
    for (const alert of alerts.slice(0, 200)) {
      if (alert.id === selected) continue;
      const { latitude, longitude } = alert.place;
      L.circleMarker([latitude, longitude], { radius: 4, weight: 1, color: "#0a1118", fillColor: COLOURS[alert.severity] ?? "#fff", fillOpacity: 0.6 })
        .on("click", () => this.choose(alert.id))
        .addTo(this.dots);
    }
  }

  show(alert: Alert): void {
    const { latitude, longitude, error_m, address } = alert.place;
    const colour = COLOURS[alert.severity] ?? "#fff";
    const at: L.LatLngTuple = [latitude, longitude];
    this.mark.clearLayers();
    L.circle(at, { radius: Math.max(error_m, 0.1), color: colour, weight: 1.5, fillColor: colour, fillOpacity: 0.18, className: "error-circle" })
      .bindTooltip(el("span", {}, `within ${error_m.toFixed(1)} m with about 95 %`))
      .addTo(this.mark);
    L.circleMarker(at, { radius: 4.5, color: "#ffffff", weight: 2, fillColor: colour, fillOpacity: 1, className: "alert-point" })
      .addTo(this.mark);
    this.named = address?.code.slice(0, 19) ?? "";
    this.buildings?.setStyle((feature) => this.style(feature));
    const near = this.map.getBounds().pad(-0.2).contains(at) && this.map.getZoom() >= 18.5;
    if (!near) this.map.setView(at, Math.max(this.map.getZoom(), 19), { animate: false });
  }

  private style(feature: GeoJSON.Feature | undefined): L.PathOptions {
    const text = String(feature?.properties?.["code"] ?? "");
    return this.named && !this.named.includes("*") && text.startsWith(this.named) ? NAMED : BUILDING;
  }

  private async loadBuildings(): Promise<void> {
    this.loading?.abort();
    const wide = this.map.getZoom() < FOOTPRINT_ZOOM;
    this.say(wide ? "Zoom in to see buildings" : "");
    if (wide) return;
    const loading = (this.loading = new AbortController());
    const area = this.map.getBounds().pad(0.25);
    const clamp = (low: number, high: number, centre: number): [number, number] =>
      high - low > 0.19 ? [centre - 0.095, centre + 0.095] : [low, high];
    const [west, east] = clamp(area.getWest(), area.getEast(), area.getCenter().lng);
    const [south, north] = clamp(area.getSouth(), area.getNorth(), area.getCenter().lat);
    try {
      const bbox = [west, south, east, north].map((it) => it.toFixed(6)).join(",");
      const found = await getFootprints(bbox, loading.signal);
      this.buildings?.remove();
      this.buildings = L.geoJSON(found, {
        style: (feature) => this.style(feature),
        onEachFeature: (feature, layer) => {
          const { text, code: number } = feature.properties ?? {};
          layer.bindTooltip(el("div", { class: "building-tip", lang: "zh-Hans" }, String(text ?? ""), number ? code(String(number)) : null), { sticky: true });
        },
        // Leaflet hands the options on to each polygon.
        ...({ renderer: this.canvas, pane: "buildings" } as object),
      }).addTo(this.map);
      this.box.dataset["footprints"] = String(found.features.length);
      if (found.features.length === 0) this.say("The address base knows no buildings here");
    } catch (error) {
      if (!loading.signal.aborted) this.say(`Buildings cannot be loaded: ${(error as Error).message}`);
    }
  }

  private say(text: string): void {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}

/** What a screen reader is told about a new alert. */
export const spoken = (alert: Alert, kind: string): string =>
  `${alert.severity} ${kind}, ${addressText(alert.place.address).textContent ?? ""}`;
