/// A type of PostgreSQL, by its number in the catalog (`pg_type.oid`); of a domain, the type that it is of. The sections
/// named are the PostgreSQL documentation's.
public struct ColumnType: Hashable, Sendable {
    /// Its number in the catalog.
    public let oid: UInt32

    /// The type of a number in the catalog, known here or not.
    public init(oid: UInt32) {
        self.oid = oid
    }

    /// True or false (§8.6).
    public static let bool = ColumnType(oid: 16)
    /// Bytes (§8.4).
    public static let bytea = ColumnType(oid: 17)
    /// The names of the catalog, up to 63 bytes (§8.3).
    public static let name = ColumnType(oid: 19)
    /// Whole numbers of 64 bits, `bigint` (§8.1).
    public static let int8 = ColumnType(oid: 20)
    /// Whole numbers of 16 bits, `smallint` (§8.1).
    public static let int2 = ColumnType(oid: 21)
    /// Whole numbers of 32 bits, `integer` (§8.1).
    public static let int4 = ColumnType(oid: 23)
    /// Text of any length (§8.3).
    public static let text = ColumnType(oid: 25)
    /// JSON as it was written (§8.14).
    public static let json = ColumnType(oid: 114)
    /// Floating point of 64 bits, `double precision` (§8.1).
    public static let float8 = ColumnType(oid: 701)
    /// A literal of which nobody said what it is (§10.1).
    public static let unknown = ColumnType(oid: 705)
    /// Text padded with spaces, `char(n)` (§8.3).
    public static let bpchar = ColumnType(oid: 1042)
    /// Text up to a length (§8.3).
    public static let varchar = ColumnType(oid: 1043)
    /// Dates (§8.5).
    public static let date = ColumnType(oid: 1082)
    /// Moments, `timestamp with time zone` (§8.5).
    public static let timestamptz = ColumnType(oid: 1184)
    /// Decimal numbers of any precision (§8.1).
    public static let numeric = ColumnType(oid: 1700)
    /// UUIDs (§8.12).
    public static let uuid = ColumnType(oid: 2950)
    /// JSON as what it means (§8.14).
    public static let jsonb = ColumnType(oid: 3802)
    static let anyarray = ColumnType(oid: 2277)

    /// Whether the database's users made it, as they do enums: its number means nothing elsewhere (`FirstNormalObjectId` in
    /// access/transam.h).
    public var isUserDefined: Bool { oid >= 16_384 }

    /// The type of arrays of this one; nil when it is not known here.
    public var array: ColumnType? {
        Self.known.first { $0.oid == oid }.flatMap { $0.array == 0 ? nil : ColumnType(oid: $0.array) }
    }

    /// The type of this array's elements; nil when it is no array, or not known here.
    public var element: ColumnType? {
        oid == 0 ? nil : Self.known.first { $0.array == oid }.map { ColumnType(oid: $0.oid) }
    }

    /// The types that columns most often have, with those of their arrays (`pg_type.dat`).
    static let known: [(oid: UInt32, name: StaticString, array: UInt32)] = [
        (16, "bool", 1000), (17, "bytea", 1001), (18, "char", 1002), (19, "name", 1003), (20, "int8", 1016),
        (21, "int2", 1005), (23, "int4", 1007), (25, "text", 1009), (26, "oid", 1028), (114, "json", 199),
        (142, "xml", 143), (650, "cidr", 651), (700, "float4", 1021), (701, "float8", 1022), (705, "unknown", 0),
        (790, "money", 791), (869, "inet", 1041), (1042, "bpchar", 1014), (1043, "varchar", 1015),
        (1082, "date", 1182), (1083, "time", 1183), (1114, "timestamp", 1115), (1184, "timestamptz", 1185),
        (1186, "interval", 1187), (1266, "timetz", 1270), (1560, "bit", 1561), (1562, "varbit", 1563),
        (1700, "numeric", 1231), (2249, "record", 2287), (2277, "anyarray", 0), (2278, "void", 0),
        (2950, "uuid", 2951), (3802, "jsonb", 3807),
    ]
}

extension ColumnType: CustomStringConvertible {
    /// PostgreSQL's own name of it, such as `int8` and `int8[]`; of one that is not known here, its number.
    public var description: String {
        if let known = Self.known.first(where: { $0.oid == oid }) { return "\(known.name)" }
        if let element { return "\(element)[]" }
        return "of the type \(oid)"
    }
}
