import HTTP1

/// Percent-decoding of any bytes, including bytes that no accepted head contains.
func tryEscapes(_ input: Input) {
    let raw = input.wire
    let segment = decoded { () throws(ProtocolError) in try PercentEncoding.decodeSegment(raw.span) }
    require(segment == expected(raw[...], plusIsSpace: false), "a segment is decoded once, byte by byte")
    let component = decoded { () throws(ProtocolError) in try PercentEncoding.decodeQueryComponent(raw.span) }
    require(component == expected(raw[...], plusIsSpace: true), "a query component is decoded once, byte by byte")
}

/// Compares the pairs of an accepted head's query with those of splitting it as text.
func checkQuery(of head: RequestHead) {
    var items = QueryItems(head)
    let query = head.query.map { head.bytes[$0] } ?? []
    var rest = query.split(separator: 0x26)[...]
    var count = 0
    do {
        while let item = try items.next() {
            count += 1
            require(count <= Limits.queryItemLimit, "the pairs of a query are within their limit")
            guard let pair = rest.popFirst() else {
                fatalError("broken invariant: a pair stands between two ampersands")
            }
            let name = pair.prefix { $0 != 0x3D }
            let isSame =
                expected(name, plusIsSpace: true) == .success(Array(item.name.utf8))
                && expected(pair.dropFirst(name.count + 1), plusIsSpace: true) == .success(Array(item.value.utf8))
            require(isSame, "a pair of a query is decoded after it was split")
            require(!item.name.utf8.contains(0) && !item.value.utf8.contains(0), "a query has no null")
        }
        require(rest.isEmpty, "no pair of a query is left out")
    } catch ProtocolError.tooManyQueryItems {
        require(count == Limits.queryItemLimit && !rest.isEmpty, "only pairs past the limit are too many")
    } catch {
        let pair = rest.first ?? []
        let name = pair.prefix { $0 != 0x3D }
        var refusals: [ProtocolError] = []
        for part in [name, pair.dropFirst(name.count + 1)] {
            if case .failure(let refusal) = expected(part, plusIsSpace: true) { refusals.append(refusal) }
        }
        require(refusals.first == error, "a query is refused for what is wrong with it")
    }
}

private func decoded(_ decode: () throws(ProtocolError) -> String) -> Result<[UInt8], ProtocolError> {
    do { return .success(Array(try decode().utf8)) } catch { return .failure(error) }
}

/// RFC 3986 §2.1 in its simplest form.
func expected(_ raw: ArraySlice<UInt8>, plusIsSpace: Bool) -> Result<[UInt8], ProtocolError> {
    var out: [UInt8] = []
    var rest = raw
    while let byte = rest.popFirst() {
        if byte == 0x25 {
            guard rest.count >= 2, rest.prefix(2).allSatisfy(isHexDigit) else {
                return .failure(.invalidPercentEncoding)
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                fatalError("two hexadecimal digits are a byte")
            }
            if value == 0 { return .failure(.encodedNull) }
            out.append(value)
            rest = rest.dropFirst(2)
        } else {
            out.append(byte == 0x2B && plusIsSpace ? 0x20 : byte)
        }
    }
    // Repairing changes only invalid UTF-8.
    return Array(String(decoding: out, as: UTF8.self).utf8) == out ? .success(out) : .failure(.invalidUTF8)
}
