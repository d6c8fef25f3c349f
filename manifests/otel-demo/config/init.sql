-- What the shop's services expect to find: one role, three schemas, ten products and their reviews.
CREATE ROLE otelu LOGIN PASSWORD 'otelp';

CREATE SCHEMA accounting AUTHORIZATION otelu;
CREATE TABLE accounting."order" (
  order_id text PRIMARY KEY
);
CREATE TABLE accounting.shipping (
  shipping_tracking_id text PRIMARY KEY,
  shipping_cost_currency_code text NOT NULL,
  shipping_cost numeric NOT NULL,
  street_address text,
  city text,
  state text,
  country text,
  zip_code text,
  order_id text NOT NULL REFERENCES accounting."order" (order_id) ON DELETE CASCADE
);
CREATE TABLE accounting.orderitem (
  item_cost_currency_code text NOT NULL,
  item_cost numeric NOT NULL,
  product_id text NOT NULL,
  quantity integer NOT NULL,
  order_id text NOT NULL REFERENCES accounting."order" (order_id) ON DELETE CASCADE,
  PRIMARY KEY (order_id, product_id)
);

CREATE SCHEMA catalog AUTHORIZATION otelu;
CREATE TABLE catalog.products (
  id text PRIMARY KEY,
  name text NOT NULL,
  description text NOT NULL,
  picture text NOT NULL,
  price_currency_code text NOT NULL,
  price_units bigint NOT NULL,
  price_nanos integer NOT NULL,
  categories text NOT NULL
);
INSERT INTO catalog.products VALUES
  ('0PUK6V6EV0', 'Solar System Color Imager', 'A camera for the planets: high frame rate, colour, and software that stacks the sharpest frames.', 'SolarSystemColorImager.jpg', 'USD', 175, 0, 'accessories,telescopes'),
  ('1YMWWN1N4O', 'Eclipsmart Travel Refractor Telescope', 'A small white-light solar telescope with a certified filter, a finder and a backpack.', 'EclipsmartTravelRefractorTelescope.jpg', 'USD', 129, 950000000, 'telescopes,travel'),
  ('2ZYFJ3GM2N', 'Roof Binoculars', 'Bright 10x42 roof-prism binoculars, sealed against rain, for birds and star fields.', 'RoofBinoculars.jpg', 'USD', 209, 950000000, 'binoculars'),
  ('66VCHSJNUP', 'Starsense Explorer Refractor Telescope', 'A first telescope that finds its way about the sky with a phone in its dock.', 'StarsenseExplorer.jpg', 'USD', 349, 950000000, 'telescopes'),
  ('6E92ZMYYFZ', 'Solar Filter', 'A film filter for 8-inch telescopes that makes the sun safe to look at.', 'SolarFilter.jpg', 'USD', 69, 950000000, 'accessories,telescopes'),
  ('9SIQT8TOJO', 'Optical Tube Assembly', 'An 11-inch f/2.2 astrograph tube for wide fields and short exposures.', 'OpticalTubeAssembly.jpg', 'USD', 3599, 0, 'accessories,telescopes,assembly'),
  ('HQTGWGPNH4', 'The Comet Book', 'Four centuries of comets in pictures, from a woodcut to a spacecraft.', 'TheCometBook.jpg', 'USD', 0, 990000000, 'books'),
  ('L9ECAV7KIM', 'Lens Cleaning Kit', 'A brush, a cloth and a fluid for coated optics.', 'LensCleaningKit.jpg', 'USD', 21, 950000000, 'accessories'),
  ('LS4PSXUNUM', 'Red Flashlight', 'A dim red light that spares your night vision, with a hand warmer and a power bank in it.', 'RedFlashlight.jpg', 'USD', 57, 80000000, 'accessories,flashlights'),
  ('OLJCESPC7Z', 'National Park Foundation Explorascope', 'A table-top reflector for the moon, the planets and the brighter clusters.', 'NationalParkFoundationExplorascope.jpg', 'USD', 101, 960000000, 'telescopes');

CREATE SCHEMA reviews AUTHORIZATION otelu;
CREATE TABLE reviews.productreviews (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id text NOT NULL,
  username text NOT NULL,
  description text NOT NULL,
  score numeric(2, 1) NOT NULL
);
CREATE INDEX productreviews_product ON reviews.productreviews (product_id);
INSERT INTO reviews.productreviews (product_id, username, description, score) VALUES
  ('0PUK6V6EV0', 'stargazer_87', 'Arrived quickly and does what it should.', 5),
  ('0PUK6V6EV0', 'meridian', 'My children will not give it back.', 4),
  ('0PUK6V6EV0', 'night_owl', 'Good value, the case could be sturdier.', 4),
  ('1YMWWN1N4O', 'stargazer_87', 'Arrived quickly and does what it should.', 4),
  ('1YMWWN1N4O', 'meridian', 'My children will not give it back.', 5),
  ('1YMWWN1N4O', 'night_owl', 'Good value, the case could be sturdier.', 3),
  ('2ZYFJ3GM2N', 'stargazer_87', 'Arrived quickly and does what it should.', 5),
  ('2ZYFJ3GM2N', 'meridian', 'My children will not give it back.', 5),
  ('2ZYFJ3GM2N', 'night_owl', 'Good value, the case could be sturdier.', 4),
  ('66VCHSJNUP', 'stargazer_87', 'Arrived quickly and does what it should.', 4),
  ('66VCHSJNUP', 'meridian', 'My children will not give it back.', 4),
  ('66VCHSJNUP', 'night_owl', 'Good value, the case could be sturdier.', 5),
  ('6E92ZMYYFZ', 'stargazer_87', 'Arrived quickly and does what it should.', 4),
  ('6E92ZMYYFZ', 'meridian', 'My children will not give it back.', 3),
  ('6E92ZMYYFZ', 'night_owl', 'Good value, the case could be sturdier.', 5),
  ('9SIQT8TOJO', 'stargazer_87', 'Arrived quickly and does what it should.', 5),
  ('9SIQT8TOJO', 'meridian', 'My children will not give it back.', 4),
  ('9SIQT8TOJO', 'night_owl', 'Good value, the case could be sturdier.', 5),
  ('HQTGWGPNH4', 'stargazer_87', 'Arrived quickly and does what it should.', 3),
  ('HQTGWGPNH4', 'meridian', 'My children will not give it back.', 5),
  ('HQTGWGPNH4', 'night_owl', 'Good value, the case could be sturdier.', 4),
  ('L9ECAV7KIM', 'stargazer_87', 'Arrived quickly and does what it should.', 5),
  ('L9ECAV7KIM', 'meridian', 'My children will not give it back.', 5),
  ('L9ECAV7KIM', 'night_owl', 'Good value, the case could be sturdier.', 5),
  ('LS4PSXUNUM', 'stargazer_87', 'Arrived quickly and does what it should.', 4),
  ('LS4PSXUNUM', 'meridian', 'My children will not give it back.', 4),
  ('LS4PSXUNUM', 'night_owl', 'Good value, the case could be sturdier.', 3),
  ('OLJCESPC7Z', 'stargazer_87', 'Arrived quickly and does what it should.', 5),
  ('OLJCESPC7Z', 'meridian', 'My children will not give it back.', 3),
  ('OLJCESPC7Z', 'night_owl', 'Good value, the case could be sturdier.', 4);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA accounting, catalog, reviews TO otelu;
