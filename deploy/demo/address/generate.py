#!/usr/bin/env python3
"""Writes the synthetic demo address base: buildings.geojson, units.csv, grids.geojson, roads.csv and workgrids.csv beside
this file.

Nothing in it is a real address. The codes follow SZDB/Z 281-2017 in shape, the texts say 合成 (synthetic), and every
record carries source=synthetic. The layout is in metres east and north of the centre of a plaza; the same input gives
the same bytes.
"""
import csv
import json
import math
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
CENTRE_LAT, CENTRE_LON = 22.5310, 113.9380
COMMUNITY = "440305002003"
PROVINCE, CITY, DISTRICT, STREET, COMMUNITY_NAME = "广东省", "深圳市", "南山区", "合成街道", "合成社区"

# Radii of curvature of the WGS 84 ellipsoid at the centre: accurate to a millimetre within 200 m.
A, E2 = 6378137.0, 0.00669437999014
_W = 1 - E2 * math.sin(math.radians(CENTRE_LAT)) ** 2
NORTH_M = math.radians(A * (1 - E2) / _W**1.5)
EAST_M = math.radians(A / math.sqrt(_W) * math.cos(math.radians(CENTRE_LAT)))


def lonlat(east, north):
    return [round(CENTRE_LON + east / EAST_M, 8), round(CENTRE_LAT + north / NORTH_M, 8)]


def box(e0, n0, e1, n1):
    return [(e0, n0), (e1, n0), (e1, n1), (e0, n1)]


# The north-south border runs through the plaza along east = 0.
GRIDS = {
    "01": [(-120, -50), (0, -50), (0, 15), (-12, 20), (-12, 120), (-120, 120)],
    "02": [(0, -50), (120, -50), (120, 120), (-12, 120), (-12, 20), (0, 15)],
    "03": [(-120, -120), (0, -120), (0, -50), (-120, -50)],
    "04": [(0, -120), (120, -120), (120, -50), (0, -50)],
}

# grid, building part, name, road, number, floors, rings (outer first)
BUILDINGS = [
    ("01", "00001", "合成观测楼", "合成广场南路", "1号", 3, [box(-20.5, -42, -0.5, -25.5)]),
    ("01", "00002", "合成西座A栋", "合成西路", "2号", 4, [box(-45, -20, -22, 0)]),
    ("01", "00003", "合成西座B栋", "合成西路", "4号", 4, [box(-45, 6, -22, 26)]),
    ("01", "00004", "合成图书馆", "合成西路", "6号", 2,
     [[(-80, -15), (-55, -15), (-55, 2), (-66, 2), (-66, 20), (-80, 20)]]),
    ("01", "00005", "合成实验楼", "合成北路", "8号", 3, [box(-34, 60, -14, 75)]),
    ("02", "00001", "合成北楼", "合成北路", "10号", 2, [[(-3.5, 28.3), (8.6, 24.3), (13.0, 37.6), (0.9, 41.6)]]),
    ("02", "00002", "合成东座A栋", "合成东路", "1号", 5, [box(20, -22, 42, -2)]),
    ("02", "00003", "合成东座B栋", "合成东路", "3号", 5, [box(24, 10, 44, 30)]),
    ("02", "T0117", "合成会堂", "合成东路", "5号", 2, [box(52, -10, 80, 20), box(60, -2, 72, 12)]),
    ("02", "00005", "合成宿舍一栋", "合成北路", "12号", 6, [box(10, 60, 40, 76)]),
    ("03", "00001", "合成宿舍二栋", "合成南路", "2号", 6, [box(-60, -75, -35, -58)]),
    ("03", "00002", "合成宿舍三栋", "合成南路", "4号", 6, [box(-28, -76, -6, -58)]),
    ("03", "00003", "合成食堂", "合成南路", "6号", 2, [box(-60, -110, -20, -88)]),
    ("04", "00001", "合成宿舍四栋", "合成南路", "8号", 6, [box(8, -76, 32, -58)]),
    ("04", "00002", "合成宿舍五栋", "合成南路", "10号", 6, [box(40, -78, 64, -56)]),
    ("04", "00003", "合成体育馆", "合成南路", "12号", 1, [box(20, -110, 60, -88)]),
]

ROADS = {
    "合成西路": [(-50, -50), (-50, 52)],
    "合成东路": [(48, -50), (48, 52)],
    "合成北路": [(-110, 52), (110, 52)],
    "合成南路": [(-110, -52), (110, -52)],
    "合成广场南路": [(-50, -46), (48, -46)],
}

# kind, working grid, name, its basic grids
WORK_GRIDS = [
    ("police", "SYN-P01", "合成派出所一组", ["01", "02"]),
    ("police", "SYN-P02", "合成派出所二组", ["03", "04"]),
    ("fire", "SYN-F01", "合成消防站", ["01", "02", "03", "04"]),
    ("community", "SYN-C01", "合成社区西片", ["01", "03"]),
    ("community", "SYN-C02", "合成社区东片", ["02", "04"]),
    ("city_management", "SYN-M01", "合成城管中队", ["01", "02", "03", "04"]),
]

COLUMNS = [
    "id", "address_id", "code", "building_id", "house_id", "province", "city", "district", "street", "community",
    "road", "road_num", "village", "building", "floor", "address", "source",
]


def polygon(rings):
    return {"type": "Polygon", "coordinates": [[lonlat(*p) for p in [*ring, ring[0]]] for ring in rings]}


def record(number, grid, part, room, name, road, road_num, floor, tail):
    building_id = COMMUNITY + grid + part
    return dict(zip(COLUMNS, [
        str(number), f"SYN{number:06}", building_id + room, building_id, room if room != "000000" else "",
        PROVINCE, CITY, DISTRICT, STREET, COMMUNITY_NAME, road, road_num, "合成园区", name, floor,
        PROVINCE + CITY + DISTRICT + STREET + COMMUNITY_NAME + road + road_num + "合成园区" + name + tail, "synthetic",
    ]))


def write_geojson(name, features):
    # One feature per line: a change is one line in a diff.
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    text = '{"type": "FeatureCollection", "source": "synthetic", "features": [\n' + lines + "\n]}\n"
    (HERE / name).write_text(text, encoding="utf-8")


def write_csv(name, columns, rows):
    with (HERE / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def line(points):
    return "LINESTRING(" + ",".join(f"{lon:.8f} {lat:.8f}" for lon, lat in (lonlat(*p) for p in points)) + ")"


def main():
    number, buildings, units = 0, [], []
    for grid, part, name, road, road_num, floors, rings in BUILDINGS:
        number += 1
        properties = record(number, grid, part, "000000", name, road, road_num, "", "")
        buildings.append({"type": "Feature", "properties": properties, "geometry": polygon(rings)})
    for grid, part, name, road, road_num, floors, _ in BUILDINGS:
        serial = 0
        for floor in range(1, floors + 1):
            for door in (1, 2):
                number, serial = number + 1, serial + 1
                units.append(record(number, grid, part, f"{serial:06}", name, road, road_num, str(floor),
                                    f"{floor}层{floor}{door:02}房"))
    grids = [
        {"type": "Feature", "geometry": polygon([ring]),
         "properties": {"GRIDCODE": COMMUNITY + grid, "WORKCODE": f"SYN-W{1 if grid in ('01', '02') else 2}",
                        "province": PROVINCE, "city": CITY, "district": DISTRICT, "street": STREET,
                        "community": COMMUNITY_NAME, "source": "synthetic"}}
        for grid, ring in GRIDS.items()
    ]
    write_geojson("buildings.geojson", buildings)
    write_geojson("grids.geojson", grids)
    write_csv("units.csv", COLUMNS, units)
    write_csv("roads.csv", ["road", "source", "wkt"],
              [{"road": name, "source": "synthetic", "wkt": line(points)} for name, points in ROADS.items()])
    write_csv("workgrids.csv", ["kind", "workgrid", "name", "gridcode", "source"],
              [{"kind": kind, "workgrid": code, "name": name, "gridcode": COMMUNITY + grid, "source": "synthetic"}
               for kind, code, name, grids_of in WORK_GRIDS for grid in grids_of])


if __name__ == "__main__":
    main()
