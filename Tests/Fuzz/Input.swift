import HTTP1

/// One input of the fuzzer: four bytes of settings, then the bytes of a client.
///
/// Limits and splits come from the fuzzer's bytes, so the file alone reproduces a case, and the fuzzer can search for
/// splits that matter.
struct Input {
    /// What the bytes are used as.
    enum Subject: UInt8, CaseIterable {
        case connection, chunkedBody, escapes, responseFields, json
    }

    let subject: Subject
    let limits: Limits
    let splits: Splits
    let wire: [UInt8]

    init(_ bytes: [UInt8]) {
        var settings = bytes.prefix(4)
        while settings.count < 4 { settings.append(0) }
        let subjects = Subject.allCases
        subject = subjects[Int(settings[0]) % subjects.count]
        limits = Self.limits[Int(settings[1] & 3)]
        splits = Splits(style: settings[1] >> 2 & 3, seed: UInt64(settings[2]) << 8 | UInt64(settings[3]))
        let rest = Array(bytes.dropFirst(4))
        wire = settings[1] & 0x10 == 0 ? rest : Self.stretch(rest)
    }

    /// The defaults, and some limits that a short input reaches.
    private static let limits = [
        Limits(),
        Limits(headByteLimit: 64, fieldCountLimit: 4, bodyByteLimit: 16),
        Limits(headByteLimit: 20_000, fieldCountLimit: 2, bodyByteLimit: 0),
        Limits(headByteLimit: 0, fieldCountLimit: 0, bodyByteLimit: 3),
    ]

    private static let stretchedByteLimit = 40_000

    /// Two bytes, 0x1A and n, repeat the byte before them 128 n times, so that a short input reaches the constant
    /// limits (16 KiB for a line) without the fuzzer having to find every byte.
    private static func stretch(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var index = 0
        while index < bytes.count, out.count < stretchedByteLimit {
            if bytes[index] == 0x1A, index + 1 < bytes.count, let last = out.last {
                let count = min(128 * Int(bytes[index + 1]), stretchedByteLimit - out.count)
                out.append(contentsOf: repeatElement(last, count: count))
                index += 2
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return out
    }
}

/// Where a connection's bytes are split into reads; the same places for the same seed.
struct Splits {
    /// Approximate maximum number of pieces, because the head so far is parsed again with each.
    private static let pieceLimit = 512

    let style: UInt8
    private var state: UInt64

    init(style: UInt8, seed: UInt64) {
        self.style = style
        state = seed
    }

    /// The number of bytes in the next piece, at least one. `total` is the length of the whole input.
    mutating func next(remaining: Int, total: Int) -> Int {
        let piece =
            switch style {
            case 0: 1
            case 1: random(below: 4) + 1
            case 2: random(below: 64) + 1
            default: random(below: remaining) + 1
            }
        return min(remaining, max(piece, total / Self.pieceLimit))
    }

    /// SplitMix64.
    private mutating func random(below bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Int(mixed >> 1) % bound
    }
}

/// Ends the run with the broken invariant. `precondition` would print nothing in a release build.
@inline(__always)
func require(_ condition: Bool, _ invariant: @autoclosure () -> String) {
    if !condition { fatalError("broken invariant: \(invariant())") }
}

func tryInput(_ bytes: [UInt8]) {
    let input = Input(bytes)
    switch input.subject {
    case .connection: tryConnection(input)
    case .chunkedBody: tryChunkedBody(input)
    case .escapes: tryEscapes(input)
    case .responseFields: tryResponseFields(input)
    case .json: tryJSON(input)
    }
}
