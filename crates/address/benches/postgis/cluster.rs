//! A private PostgreSQL with PostGIS in a temporary directory, on a unix socket there; removed on drop.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use geo::MultiPolygon;
use postgres::{Client, Config, NoTls};
use vedette_address::Footprint;

const BIN: &str = "/usr/lib/postgresql/15/bin";

pub(crate) struct Cluster {
    home: PathBuf,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let home = PathBuf::from(run(&mut as_postgres("mktemp", &["-d", "/tmp/vedette-postgis.XXXXXX"])).trim());
        let cluster = Self { home };
        let (data, log) = (cluster.path("data"), cluster.path("log"));
        run(&mut as_postgres(
            &format!("{BIN}/initdb"),
            &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
        ));
        // The default configuration, with enough shared buffers for all tables.
        let options = format!("-k {} -c listen_addresses='' -c shared_buffers=2GB", cluster.home.display());
        run(&mut as_postgres(&format!("{BIN}/pg_ctl"), &["start", "-w", "-D", &data, "-l", &log, "-o", &options]));
        cluster
    }

    fn path(&self, name: &str) -> String {
        self.home.join(name).display().to_string()
    }

    pub(crate) fn connect(&self) -> Client {
        Config::new().host_path(&self.home).user("postgres").dbname("postgres").connect(NoTls).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stop = ["stop", "-m", "immediate", "-D", &self.path("data")];
        let _ = as_postgres(&format!("{BIN}/pg_ctl"), &stop).output();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// PostgreSQL refuses to run as root: then its own user is used.
fn as_postgres(program: &str, arguments: &[&str]) -> Command {
    let root = run(Command::new("id").arg("-u")).trim() == "0";
    let mut command = match root {
        true => Command::new("runuser"),
        false => Command::new(program),
    };
    if root {
        command.args(["-u", "postgres", "--", program]);
    }
    command.args(arguments).current_dir("/");
    command
}

fn run(command: &mut Command) -> String {
    // A server left running would hold a pipe open, so its output goes to its log.
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Loads shapes with their areas, creates indexes and runs ANALYZE.
pub(crate) fn load(client: &mut Client, table: &str, shapes: impl Iterator<Item = Footprint>) -> u64 {
    client.batch_execute(&format!("CREATE TABLE {table}_in (code text, geom geometry(MultiPolygon, 4326))")).unwrap();
    let mut copy = client.copy_in(&format!("COPY {table}_in FROM STDIN")).unwrap();
    for shape in shapes {
        writeln!(copy, "{}\t{}", shape.code, ewkb_hex(&shape.geometry)).unwrap();
    }
    let rows = copy.finish().unwrap();
    let sql = format!(
        "CREATE TABLE {table} AS SELECT code, geom, ST_Area(geom::geography) AS area FROM {table}_in; DROP TABLE {table}_in; \
         CREATE INDEX ON {table} USING gist (geom); CREATE INDEX ON {table} (code); VACUUM ANALYZE {table}"
    );
    for statement in sql.split("; ") {
        client.batch_execute(statement).unwrap();
    }
    rows
}

fn ewkb_hex(shape: &MultiPolygon<f64>) -> String {
    let mut bytes = vec![1];
    bytes.extend((6_u32 | 0x2000_0000).to_le_bytes());
    bytes.extend(4326_u32.to_le_bytes());
    bytes.extend((shape.0.len() as u32).to_le_bytes());
    for polygon in shape {
        bytes.push(1);
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((1 + polygon.interiors().len() as u32).to_le_bytes());
        for ring in std::iter::once(polygon.exterior()).chain(polygon.interiors()) {
            bytes.extend((ring.0.len() as u32).to_le_bytes());
            bytes.extend(ring.0.iter().flat_map(|at| [at.x, at.y]).flat_map(f64::to_le_bytes));
        }
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
