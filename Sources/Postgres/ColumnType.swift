/// A PostgreSQL type, identified by its OID (`pg_type.oid`); for a domain, its base type. Sections refer to the
/// PostgreSQL documentation.
public struct ColumnType: Hashable, Sendable {
    /// The OID.
    public let oid: UInt32

    /// The type with this OID, known here or not.
    public init(oid: UInt32) {
        self.oid = oid
    }

    /// True or false (§8.6).
    public static let bool = ColumnType(oid: 16)
    /// Bytes (§8.4).
    public static let bytea = ColumnType(oid: 17)
    /// Names in the system catalog, up to 63 bytes (§8.3).
    public static let name = ColumnType(oid: 19)
    /// 64-bit integers, `bigint` (§8.1).
    public static let int8 = ColumnType(oid: 20)
    /// 16-bit integers, `smallint` (§8.1).
    public static let int2 = ColumnType(oid: 21)
    /// 32-bit integers, `integer` (§8.1).
    public static let int4 = ColumnType(oid: 23)
    /// Text of any length (§8.3).
    public static let text = ColumnType(oid: 25)
    /// JSON, stored as text (§8.14).
    public static let json = ColumnType(oid: 114)
    /// 64-bit floating point, `double precision` (§8.1).
    public static let float8 = ColumnType(oid: 701)
    /// A literal without a type (§10.1).
    public static let unknown = ColumnType(oid: 705)
    /// Blank-padded text, `char(n)` (§8.3).
    public static let bpchar = ColumnType(oid: 1042)
    /// Text with a length limit (§8.3).
    public static let varchar = ColumnType(oid: 1043)
    /// Dates (§8.5).
    public static let date = ColumnType(oid: 1082)
    /// Points in time, `timestamp with time zone` (§8.5).
    public static let timestamptz = ColumnType(oid: 1184)
    /// Decimal numbers of arbitrary precision (§8.1).
    public static let numeric = ColumnType(oid: 1700)
    /// UUIDs (§8.12).
    public static let uuid = ColumnType(oid: 2950)
    /// JSON, parsed (§8.14).
    public static let jsonb = ColumnType(oid: 3802)
    static let anyarray = ColumnType(oid: 2277)

    /// Whether it is user-defined, such as an enum: its OID has no meaning in other databases (`FirstNormalObjectId` in
    /// access/transam.h).
    public var isUserDefined: Bool { oid >= 16_384 }

    /// The array type with this element type; nil if not known here.
    public var array: ColumnType? {
        Self.known.first { $0.oid == oid }.flatMap { $0.array == 0 ? nil : ColumnType(oid: $0.array) }
    }

    /// The element type; nil if this is not an array type, or not known here.
    public var element: ColumnType? {
        oid == 0 ? nil : Self.known.first { $0.array == oid }.map { ColumnType(oid: $0.oid) }
    }

    /// Common column types and their array types (`pg_type.dat`).
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
    /// PostgreSQL's name, such as `int8` and `int8[]`; the OID for types not known here.
    public var description: String {
        if let known = Self.known.first(where: { $0.oid == oid }) { return "\(known.name)" }
        if let element { return "\(element)[]" }
        return "of the type \(oid)"
    }
}
