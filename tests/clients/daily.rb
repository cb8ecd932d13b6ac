# What programs do every day with ActiveRecord and Sequel: `ok what`, or `FAIL what: why`.
def check(what)
  yield
  puts "ok #{what}"
rescue StandardError => e
  puts "FAIL #{what}: #{e.class}: #{e.message.lines.first(3).join(' ')} #{e.backtrace.first(1)}"
end

def same(got, want)
  raise "got #{got.inspect}, want #{want.inspect}" unless got == want
end

def refused(kind)
  yield
  raise "nothing was refused, not a #{kind}"
rescue kind
  nil
end

GIVEN = { host: ENV["PGHOST"], port: ENV["PGPORT"].to_i, user: ENV["PGUSER"],
          password: ENV["PGPASSWORD"], database: ENV["PGDATABASE"] }.freeze
WHEN = Time.utc(2024, 5, 6, 7, 8, 9, 123_456)

def active_record
  require "active_record"
  ActiveRecord::Base.establish_connection(
    adapter: "postgresql", username: GIVEN[:user], **GIVEN.reject { |k, _| k == :user }
  )
  ActiveRecord::Migration.verbose = false
  people = Class.new(ActiveRecord::Migration[6.1]) do
    def change
      create_table :rb_people do |t|
        t.string :name, null: false, limit: 60
        t.text :tags, array: true, default: []
        t.jsonb :data, default: {}
        t.decimal :price, precision: 10, scale: 2
        t.boolean :ok, default: true, null: false
        t.binary :raw
        t.date :day
        t.float :f
        t.bigint :big
        t.uuid :code, default: -> { "gen_random_uuid()" }
        t.timestamps
        t.index :name, unique: true
        t.index %i[day ok]
      end
      create_table :rb_posts do |t|
        t.references :rb_person, null: false, foreign_key: { to_table: :rb_people, on_delete: :cascade }
        t.string :title
      end
    end
  end
  more = Class.new(ActiveRecord::Migration[6.1]) do
    def change
      add_column :rb_posts, :score, :integer, default: 0, null: false
      rename_column :rb_posts, :title, :headline
      add_index :rb_posts, :headline, name: "rb_posts_by_headline", where: "score > 0"
      change_column_default :rb_posts, :score, from: 0, to: 5
      change_column_null :rb_posts, :headline, false, "none"
      add_check_constraint :rb_posts, "score >= 0", name: "rb_posts_score"
    end
  end
  person = Class.new(ActiveRecord::Base) { self.table_name = "rb_people" }
  post = Class.new(ActiveRecord::Base) { self.table_name = "rb_posts" }
  person.has_many :posts, anonymous_class: post, foreign_key: "rb_person_id"
  check("ActiveRecord migrates") { [people, more].each { |m| m.migrate(:up) } }
  [person, post].each(&:reset_column_information)
  check("ActiveRecord reflects") do
    same(person.primary_key, "id")
    same(person.columns_hash["price"].sql_type, "numeric(10,2)")
    same(person.columns_hash["tags"].array, true)
    same(person.connection.indexes("rb_people").map(&:columns).sort, [%w[day ok], %w[name]])
    same(person.connection.foreign_keys("rb_posts").map(&:on_delete), [:cascade])
    same(person.connection.check_constraints("rb_posts").map(&:name), ["rb_posts_score"])
    same(person.column_defaults.values_at("ok", "tags", "data"), [true, [], {}])
  end
  check("ActiveRecord models") do
    made = person.create!(name: "茶", tags: ["a b", "\""], data: { "k" => [1] }, price: "1.25",
                          raw: "\x00\xFF".b, day: Date.new(2024, 2, 29), f: 1.5, big: 2**60)
    made.update!(created_at: WHEN)
    got = person.find_by!(name: "茶")
    same([got.tags, got.data, got.price, got.raw, got.day, got.f, got.big, got.created_at, got.ok],
         [["a b", "\""], { "k" => [1] }, BigDecimal("1.25"), "\x00\xFF".b, Date.new(2024, 2, 29), 1.5,
          2**60, WHEN, true])
    same(got.code.size, 36)
    got.posts.create!(headline: "one")
    same(got.posts.first.score, 5)
    same(person.joins(:posts).where("rb_posts.score > ?", 1).group(:name).count, { "茶" => 1 })
    same(person.where(name: %w[茶 x]).where.not(ok: false).order(day: :desc).limit(5).pluck(:name), ["茶"])
    same(person.where("data @> ?", { k: [1] }.to_json).exists?, true)
    same(person.where("? = ANY (tags)", "a b").count, 1)
    person.insert_all([{ name: "二", created_at: WHEN, updated_at: WHEN }])
    person.upsert_all([{ name: "二", price: 3, created_at: WHEN, updated_at: WHEN }], unique_by: :name)
    same(person.find_by(name: "二").price, 3)
    person.in_batches(of: 1) { |some| same(some.count, 1) }
    got.with_lock { got.increment!(:f) }
    same(person.where(name: "茶").update_all(["f = f + ?", 1]), 1)
    same(person.sum(:price), BigDecimal("4.25"))
  end
  check("ActiveRecord errors") do
    refused(ActiveRecord::RecordNotUnique) { person.create!(name: "茶") }
    refused(ActiveRecord::NotNullViolation) { person.create!(name: nil) }
    refused(ActiveRecord::InvalidForeignKey) { post.create!(rb_person_id: 99_999, headline: "x") }
    refused(ActiveRecord::StatementInvalid) { post.where("nope = 1").to_a }
    person.transaction do
      person.create!(name: "kept")
      refused(ActiveRecord::RecordNotUnique) do
        person.transaction(requires_new: true) { person.create!(name: "kept") }
      end
    end
    same(person.where(name: "kept").count, 1)
  end
  check("ActiveRecord migrates back") do
    person.find_by(name: "茶").delete
    same(post.count, 0)
    [more, people].each { |m| m.migrate(:down) }
  end
end

def sequel
  require "sequel"
  db = Sequel.postgres(**GIVEN)
  db.extension :pg_array, :pg_json
  check("Sequel schema") do
    db.drop_table?(:rb_seq_line, :rb_seq)
    db.create_table(:rb_seq) do
      primary_key :id
      String :name, size: 50, null: false, unique: true
      column :tags, "text[]"
      column :data, :jsonb
      BigDecimal :price, size: [10, 2]
      TrueClass :ok, default: true
      DateTime :made, default: Sequel::CURRENT_TIMESTAMP
      File :raw
    end
    db.create_table(:rb_seq_line) do
      primary_key :id
      foreign_key :item_id, :rb_seq, on_delete: :cascade
      Integer :n
      index :n
    end
    db.alter_table(:rb_seq_line) do
      add_column :note, String, default: "x"
      add_index %i[item_id n], unique: true
    end
    schema = db.schema(:rb_seq).to_h
    same(schema[:name].values_at(:type, :allow_null), [:string, false])
    same([schema[:id][:primary_key], schema[:ok][:ruby_default]], [true, true])
    same(db.foreign_key_list(:rb_seq_line).map { |k| k[:table] }, [:rb_seq])
    same(db.indexes(:rb_seq_line).size, 2)
    same(db.tables.include?(:rb_seq), true)
  end
  check("Sequel datasets") do
    rows = db[:rb_seq]
    id = rows.insert(name: "茶", tags: Sequel.pg_array(%w[a b]), data: Sequel.pg_jsonb(k: 1), price: 1.5,
                     raw: Sequel.blob("\x00\xFF".b))
    got = rows[id: id]
    same([got[:tags].to_a, got[:data].to_h, got[:price], got[:ok], got[:raw]],
         [%w[a b], { "k" => 1 }, BigDecimal("1.5"), true, "\x00\xFF".b])
    rows.import(%i[name price], [["x", 1], ["y", 2]])
    same(rows.returning(:name).where(name: "x").update(price: 9), [{ name: "x" }])
    same(rows.insert_conflict(target: :name, update: { price: 7 }).insert(name: "y", price: 0) > 0, true)
    same(rows.where(name: %w[x y]).order(:name).select_map(:price).map(&:to_i), [9, 7])
    same(db[:rb_seq].join(:rb_seq_line, item_id: :id).count, 0)
    db.transaction do
      rows.insert(name: "kept")
      refused(Sequel::UniqueConstraintViolation) { db.transaction(savepoint: true) { rows.insert(name: "kept") } }
    end
    refused(Sequel::ForeignKeyConstraintViolation) { db[:rb_seq_line].insert(item_id: 9999, n: 1) }
    same(rows.where(name: "kept").count, 1)
    same(rows.order(:id).use_cursor(rows_per_fetch: 2).map { |r| r[:name] }.size, 4)
    same(rows.paged_each(rows_per_fetch: 2).count, 4)
    same(db.copy_table(rows.select(:name).where(name: "x")), "x\n")
    db.copy_into(:rb_seq, columns: %i[name], data: ["c1\n", "c2\n"])
    same(rows.where(Sequel.like(:name, "c%")).delete, 2)
    same(rows.prepare(:first, :by_name, name: :$n), rows.prepare(:first, :by_name, name: :$n)) if false
    same(rows.where(name: :$n).prepare(:first, :by_name).call(n: "x")[:name], "x")
  end
  check("Sequel models") do
    item = Class.new(Sequel::Model(db[:rb_seq]))
    one = item.create(name: "model")
    one.update(price: 3)
    same(item.where(name: "model").first.price.to_i, 3)
    one.destroy
  end
  check("Sequel drops") { db.drop_table(:rb_seq_line, :rb_seq) }
end

send(ARGV[0])
