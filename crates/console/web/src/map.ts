import * as L from "leaflet";
import type { Alert, Bases, Camera, CameraList, Entity, Severity } from "./api";
import { getEntity, getFeatures } from "./api";
import { about } from "./cameras";
import { byId, el } from "./dom";
import { addressText, code } from "./format";

/** Below this zoom an area is too wide for footprints. */
const FOOTPRINT_ZOOM = 14;
/** Below this zoom outlines of grids and roads would only overlap. */
const LINES_ZOOM = 15;
const COLOURS: Record<Severity, string> = { critical: "#ff5468", high: "#ff9149", medium: "#f4cc52", low: "#66b2f0" };

const BUILDING: L.PathOptions = { color: "#4b6378", weight: 1, fillColor: "#223343", fillOpacity: 0.9 };
const NAMED: L.PathOptions = { color: "#4fd1c5", weight: 2, fillColor: "#1d4a4c", fillOpacity: 0.9, className: "named-ground", interactive: false };
const NAMED_GRID: L.PathOptions = { ...NAMED, dashArray: "6 4", fillOpacity: 0.12 };
const GRID: L.PathOptions = { color: "#2f4152", weight: 1, dashArray: "3 5", fill: false, interactive: false };
const ROAD: L.PathOptions = { color: "#3d4a57", weight: 4, opacity: 0.75, lineCap: "round" };

/** The map: roads, grids and buildings of the address base, cameras with their views, alerts with their errors. No tiles. */
export class AlertMap {
  private readonly box = byId("map");
  private readonly note = byId("map-note");
  private readonly map: L.Map;
  private readonly canvas = L.canvas({ padding: 0.3, pane: "buildings" });
  private readonly ground = L.layerGroup();
  private readonly named = L.layerGroup();
  private readonly views = L.layerGroup();
  private readonly dots = L.layerGroup();
  private readonly mark = L.layerGroup();
  private loading: AbortController | null = null;
  private entities = new Map<string, Promise<Entity>>();
  private shown = "";
  private serving = "";
  /** Whether it has shown the cameras: where it is from then on is a person's choice. */
  private placed = false;

  constructor(private readonly choose: (id: string) => void) {
    this.map = L.map(this.box, { zoomControl: true, attributionControl: false, minZoom: 3, maxZoom: 21, zoomSnap: 0.5 });
    this.map.createPane("buildings").style.zIndex = "350";
    this.map.createPane("named").style.zIndex = "360";
    L.control.scale({ imperial: false, position: "bottomright" }).addTo(this.map);
    for (const layer of [this.ground, this.named, this.views, this.dots, this.mark]) layer.addTo(this.map);
    this.map.setView([22.5438, 114.06], 11);
    this.map.on("moveend", () => void this.loadGround());
    new ResizeObserver(() => this.map.invalidateSize({ animate: false })).observe(this.box);
  }

  /** Another base requires another map. */
  bases(bases: Bases): void {
    const version = bases.current?.version ?? "";
    if (this.serving && this.serving !== version) {
      this.entities.clear();
      void this.loadGround();
      const code = this.shown;
      this.shown = "";
      void this.nameGround(code);
    }
    this.serving = version;
  }

  cameras(cameras: Camera[], centre: CameraList["centre"]): void {
    this.views.clearLayers();
    for (const camera of cameras) {
      const at: L.LatLngTuple = [camera.latitude, camera.longitude];
      if (camera.view.length > 2) {
        const corners = camera.view.map(([longitude, latitude]): L.LatLngTuple => [latitude, longitude]);
        L.polygon(corners, { color: "#4fd1c5", weight: 1, opacity: 0.55, fillOpacity: 0.07, dashArray: "4 4", interactive: false })
          .addTo(this.views);
      }
      const fillColor = camera.signal_loss ? COLOURS.critical : camera.enabled ? "#4fd1c5" : "#6c7f90";
      L.circleMarker(at, { radius: 6, color: "#0a1118", weight: 2, fillColor, fillOpacity: 1, className: camera.signal_loss ? "camera lost" : "camera" })
        .bindTooltip(about(camera))
        .addTo(this.views);
    }
    if (centre && !this.placed) this.map.setView([centre.latitude, centre.longitude], 18, { animate: false });
    this.placed = true;
  }

  alerts(alerts: Alert[], selected: string | null): void {
    this.dots.clearLayers();
    for (const alert of alerts.slice(0, 200)) {
      if (alert.id === selected) continue;
      const { latitude, longitude } = alert.place;
      L.circleMarker([latitude, longitude], { radius: 4, weight: 1, color: "#0a1118", fillColor: COLOURS[alert.severity], fillOpacity: 0.6 })
        .on("click", () => this.choose(alert.id))
        .addTo(this.dots);
    }
  }

  show(alert: Alert): void {
    const { latitude, longitude, error_m, address } = alert.place;
    const colour = COLOURS[alert.severity];
    const at: L.LatLngTuple = [latitude, longitude];
    this.mark.clearLayers();
    L.circle(at, { radius: Math.max(error_m, 0.1), color: colour, weight: 1.5, fillColor: colour, fillOpacity: 0.18, className: "error-circle" })
      .bindTooltip(el("span", {}, `within ${error_m.toFixed(1)} m with about 95 %`))
      .addTo(this.mark);
    L.circleMarker(at, { radius: 4.5, color: "#ffffff", weight: 2, fillColor: colour, fillOpacity: 1, className: "alert-point" })
      .addTo(this.mark);
    void this.nameGround(address?.code ?? "");
    const near = this.map.getBounds().pad(-0.2).contains(at) && this.map.getZoom() >= 18.5;
    if (!near) this.map.setView(at, Math.max(this.map.getZoom(), 19), { animate: false });
  }

  /** Draws the footprint, or outdoors the grid, of a code. */
  private async nameGround(code: string): Promise<void> {
    if (code === this.shown) return;
    this.shown = code;
    this.named.clearLayers();
    if (!code) return;
    const asked = this.entities.get(code) ?? getEntity(code);
    this.entities.set(code, asked);
    if (this.entities.size > 200) this.entities.delete(this.entities.keys().next().value!);
    // A base without the code has nothing to draw.
    const entity = await asked.catch(() => null);
    if (!entity?.geometry || this.shown !== code) return;
    const style = entity.level === "grid" ? NAMED_GRID : NAMED;
    L.geoJSON(entity.geometry, { style, interactive: false, ...({ pane: "named" } as object) }).addTo(this.named);
  }

  private async loadGround(): Promise<void> {
    this.loading?.abort();
    const zoom = this.map.getZoom();
    const wide = zoom < FOOTPRINT_ZOOM;
    this.say(wide ? "Zoom in to see buildings" : "");
    if (wide) return;
    const loading = (this.loading = new AbortController());
    const bbox = this.area();
    const lines = zoom >= LINES_ZOOM;
    try {
      const [buildings, grids, roads] = await Promise.all([
        getFeatures("footprints", bbox, loading.signal),
        lines ? getFeatures("grids", bbox, loading.signal) : null,
        lines ? getFeatures("roads", bbox, loading.signal) : null,
      ]);
      // Leaflet passes the options on to each shape.
      const drawn = { ...({ renderer: this.canvas, pane: "buildings" } as object) };
      this.ground.clearLayers();
      if (roads) L.geoJSON(roads, { style: ROAD, onEachFeature: (feature, layer) => tip(layer, feature.properties?.["name"]), ...drawn }).addTo(this.ground);
      if (grids) L.geoJSON(grids, { style: GRID, ...drawn }).addTo(this.ground);
      L.geoJSON(buildings, {
        style: BUILDING,
        onEachFeature: (feature, layer) => tip(layer, feature.properties?.["text"], feature.properties?.["code"]),
        ...drawn,
      }).addTo(this.ground);
      this.box.dataset["footprints"] = String(buildings.features.length);
      this.box.dataset["grids"] = String(grids?.features.length ?? 0);
      this.box.dataset["roads"] = String(roads?.features.length ?? 0);
      if (buildings.features.length === 0) this.say("The address base has no buildings here");
      else if (buildings.truncated) this.say("Not all buildings are drawn: zoom in");
    } catch (error) {
      if (!loading.signal.aborted) this.say(`Buildings cannot be loaded: ${(error as Error).message}`);
    }
  }

  /** The visible area with a margin, limited to the server's maximum. */
  private area(): string {
    const area = this.map.getBounds().pad(0.25);
    const clamp = (low: number, high: number, centre: number): [number, number] =>
      high - low > 0.19 ? [centre - 0.095, centre + 0.095] : [low, high];
    const [west, east] = clamp(area.getWest(), area.getEast(), area.getCenter().lng);
    const [south, north] = clamp(area.getSouth(), area.getNorth(), area.getCenter().lat);
    return [west, south, east, north].map((it) => it.toFixed(6)).join(",");
  }

  private say(text: string): void {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}

/** Text and code of the shape under the pointer. */
function tip(layer: L.Layer, text: unknown, number?: unknown): void {
  const content = el("div", { class: "building-tip", lang: "zh-Hans" }, String(text ?? ""), number ? code(String(number)) : null);
  layer.bindTooltip(content, { sticky: true });
}

/** Announcement of a new alert for screen readers. */
export const spoken = (alert: Alert, kind: string): string =>
  `${alert.severity} ${kind}, ${addressText(alert.place.address).textContent ?? ""}`;
