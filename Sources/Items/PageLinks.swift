import Formatting

/// The field `Link` (RFC 8288) of a page: the next, the previous and the first page of the same list.
struct PageLinks {
    /// The list's path.
    let path: [UInt8]
    let request: PageRequest

    /// Longest field: proxies reserve 4 or 8 KiB for all fields of an answer (nginx: `proxy_buffer_size`), and answer 502
    /// when they are longer. The cursors are in the page too.
    static let byteLimit = 2048

    /// Nil when it would be longer than `byteLimit`, because of a long `q` or many `ids`.
    func field(next: Cursor.Text?, previous: Cursor.Text?) -> [UInt8]? {
        let filter = request.list.filter.map { Array($0.query.utf8) } ?? []
        // A link without its cursor, and the longest relation with the separator.
        let linkByteLimit = path.count + filter.count + DecimalText.mostByteCount + 64
        var field: [UInt8] = []
        field.append(addingCapacity: 3 * linkByteLimit + 64) { field in
            if let next { append(next, ">; rel=\"next\", ", filter, to: &field) }
            if let previous { append(previous, ">; rel=\"prev\", ", filter, to: &field) }
            append(nil, ">; rel=\"first\"", filter, to: &field)
        }
        return field.count > Self.byteLimit ? nil : field
    }

    private func append(
        _ cursor: Cursor.Text?, _ relation: StaticString, _ filter: [UInt8], to field: inout OutputSpan<UInt8>
    ) {
        field.append(0x3C)
        field.append(span: path.span)
        field.append(literal: "?limit=")
        field.append(decimal: request.limit)
        field.append(literal: request.list.order == .ascending ? "&order=asc" : "&order=desc")
        field.append(span: filter.span)
        if let cursor {
            field.append(literal: "&cursor=")
            field.append(span: cursor.span)
        }
        field.append(literal: relation)
    }
}
