//! The few forms of Protocol Buffers that OTLP's messages are made of. Fields that are nothing are left out, as proto3 does.

#[derive(Default)]
pub struct Message(Vec<u8>);

/// How a field's value is written.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

impl Message {
    pub fn of(write: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::default();
        write(&mut message);
        message.0
    }

    /// What is in it, even if that is nothing: an empty message says that it is there.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Message)) {
        self.length_delimited(field, &Self::of(write));
    }

    /// A message that was written before.
    pub fn written(&mut self, field: u32, message: &[u8]) {
        self.length_delimited(field, message);
    }

    pub fn bytes(&mut self, field: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.length_delimited(field, bytes);
        }
    }

    pub fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    pub fn number(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.one_of_number(field, number);
        }
    }

    /// A number that one of several fields is for: there, even if it is 0.
    pub fn one_of_number(&mut self, field: u32, number: u64) {
        self.tag(field, VARINT);
        self.varint(number);
    }

    pub fn one_of_text(&mut self, field: u32, text: &str) {
        self.length_delimited(field, text.as_bytes());
    }

    /// Both `fixed64` and `sfixed64`, there even if it is 0.
    pub fn fixed(&mut self, field: u32, bits: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&bits.to_le_bytes());
    }

    pub fn double(&mut self, field: u32, value: f64) {
        self.fixed(field, value.to_bits());
    }

    /// Several fixed numbers or doubles, as their bits.
    pub fn packed(&mut self, field: u32, bits: impl IntoIterator<Item = u64>) {
        let packed: Vec<u8> = bits.into_iter().flat_map(u64::to_le_bytes).collect();
        self.bytes(field, &packed);
    }

    fn length_delimited(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn tag(&mut self, field: u32, form: u32) {
        self.varint(u64::from(field << 3 | form));
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}
